import re
import pytest
from pyspark.sql import functions as F
from random import Random
from tests.bronze_silver.test_plain_events import *
def test_mut(spark, sql):
    rows=records(Random(3),1500)
    spark.createDataFrame(rows, COLUMNS).repartition(2).cache().createOrReplaceTempView("records_of_both_ways")
    careful=spark.sql(sql.replace(QUICK, f"and false {QUICK}"))
    whole=F.to_json(F.struct(*careful.columns),{"ignoreNullFields":"false"})
    c=careful.select("record_id",whole.alias("careful")).cache(); c.count()
    i=sql.index("when\n                csv_as_json is null"); j=sql.index(QUICK)
    block=sql[i:j]; conds=block[len("when"):].strip().split("\n                and ")
    flat=[]
    for k in conds: flat+= [k] if "(" in k and "instr" not in k else k.split(" and ")
    q=spark.sql(sql.rpartition("select\n    record_id")[0] + "select record_id, plain from judged").where("plain is not null").count()
    out=[f"quick {q} of {len(rows)}"]
    for n,k in enumerate(flat):
        m=sql[:i]+"when "+" and ".join(flat[:n]+flat[n+1:])+" "+sql[j:]
        try:
            d=spark.sql(m).select("record_id",whole.alias("both")).join(c,"record_id").where("both!=careful").count()
        except Exception as e: d=repr(e)[:200]
        out.append(f"{d}  without {k[:90]}")
    open('/tmp/fast/mut.out','w').write("\n".join(out))
