"""How many jobs Spark runs."""

import time
import uuid
from collections.abc import Callable

from pyspark.sql import SparkSession


def jobs_of(spark: SparkSession, call: Callable) -> int:
    """The number of Spark jobs that `call()` runs in this thread.

    Spark tells of jobs a little later, but in order: so a job that runs afterwards is waited for.
    """
    context, own, control = spark.sparkContext, str(uuid.uuid4()), str(uuid.uuid4())
    tracker = context.statusTracker()
    try:
        context.setJobGroup(own, "what is counted")
        call()
        context.setJobGroup(control, "what is waited for")
        context.parallelize([1]).count()
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)
    deadline = time.monotonic() + 60
    while not tracker.getJobIdsForGroup(control):
        assert time.monotonic() < deadline, "Spark does not tell of its jobs"
        time.sleep(0.01)
    return len(tracker.getJobIdsForGroup(own))
