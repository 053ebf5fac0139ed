"""The sums of trips are exact, whatever the numbers, and depend on no order of rows.

Numbers below 10^19 add up as decimals with nine places, larger ones as integers of their size.
"""

import math
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from tests.support.models import python_model
from tests.support.spark_3_2 import Spark32

LARGE = 1e19
MODEL = python_model("gold/gold_fuel_efficiency_monthly")
LARGE_SIZE = math.floor(math.log2(LARGE) / MODEL.SIZE) + 1
OTHERS = ("event_id string", "manufacturer string", "model string")
SCHEMA = ", ".join(("car_chassis string", f"{MODEL.DISTANCE} double", *OTHERS))


@st.composite
def of_one_size(draw):
    """Large numbers whose binary exponents are of one size, and whose sum is no infinity."""
    size = draw(st.integers(LARGE_SIZE, 1020 // MODEL.SIZE - 1))
    low, high = 2.0 ** (size * MODEL.SIZE + 1), 2.0 ** (size * MODEL.SIZE + MODEL.SIZE - 1)
    number = st.floats(low, high)
    return draw(st.lists(number | number.map(lambda n: -n), min_size=1, max_size=6))


TRIPS = st.lists(st.decimals(0, 2000, places=3).map(float), min_size=1, max_size=9)
ANY = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6)
MIXED = st.lists(st.sampled_from([1e30, -1e30, 1.5, 0.1, 1e19, -1e300, 5e-324]), max_size=6)


def exact(numbers: list[float]) -> Fraction:
    """The sum of the decimals that stand for small numbers, and of the large ones.

    Some versions of Java write down more than the fewest digits of a number above 2^53.
    """
    places = Decimal("1e-9")
    return sum(
        Fraction(number)
        if abs(number) >= LARGE
        else Fraction(Decimal(repr(number)).quantize(places, ROUND_HALF_UP))
        for number in numbers
    )


def sums(spark, rows: list[tuple], partitions: int) -> dict[str, float]:
    """The model's sum for each car."""
    frame = spark.createDataFrame([(*row, None, None, None) for row in rows], SCHEMA)
    frame = frame.withColumn("event_timestamp", F.lit("2026-01-01").cast("timestamp"))
    events = frame.withColumn(MODEL.FUEL, F.col(MODEL.DISTANCE)).repartition(partitions)
    found = MODEL.monthly_efficiency(events, "2026-01-01")
    found = found.select("car_chassis", "total_km_driven", "total_fuel_liters").collect()
    assert all(repr(km) == repr(liters) for _, km, liters in found)
    return {car: km for car, km, _ in found}


def test_sums_are_exact_in_any_order(spark):
    groups = {"one size": of_one_size(), "trips": TRIPS, "any": ANY, "mixed": MIXED}
    lists = {kind: st.lists(numbers, min_size=5, max_size=15) for kind, numbers in groups.items()}

    @settings(
        max_examples=5,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),  # each example is several Spark jobs
    )
    @example(
        {
            "one size": [],
            "trips": [[0.1] * 10],
            "any": [],
            "mixed": [[1e30, 1.5, -1e30], [1e300, 1e300], [2.0**63, -1.0]],
        }
    )
    @given(st.fixed_dictionaries(lists))
    def many(drawn):
        cars = {f"{kind} {n}": numbers for kind in drawn for n, numbers in enumerate(drawn[kind])}
        rows = [(car, number) for car, numbers in cars.items() for number in numbers]
        found = sums(spark, rows, 1)
        assert {car: repr(total) for car, total in sums(spark, rows[::-1], 3).items()} == {
            car: repr(total) for car, total in found.items()
        }
        for car, numbers in cars.items():
            if not numbers:
                assert car not in found
            elif car.startswith("trips"):
                assert found[car] == float(exact(numbers)), numbers
            elif car.startswith("one size"):
                assert found[car] == math.fsum(numbers), numbers
            elif math.isfinite(found[car]):
                most = len(numbers) * sum(map(abs, map(Fraction, numbers))) / 2**52
                assert abs(Fraction(found[car]) - exact(numbers)) <= most, numbers

    many()


def test_a_group_keeps_no_list_of_its_numbers(spark):
    """What is kept for a car is bounded by the sizes of doubles, and not by its trips."""
    numbers = [(1.5 + n / 2**20) * 2.0**100 for n in range(3000)]
    events = spark.createDataFrame([("a", number, None, None, None) for number in numbers], SCHEMA)
    sizes = events.select(MODEL.size(MODEL.DISTANCE)).distinct().count()
    every = [2.0**power for power in range(64, 1024)]
    most = spark.createDataFrame([("a", n, None, None, None) for n in every], SCHEMA)
    assert (sizes, most.select(MODEL.size(MODEL.DISTANCE)).distinct().count()) == (1, 107)
    assert sums(spark, [("a", number) for number in numbers], 2) == {"a": math.fsum(numbers)}


# Sums of a car, and what they are.
OF_A_CAR = {
    "trips": ([0.1, 0.2, 0.3], 0.6),
    "mixed": ([1e30, 1.5, -1e30], 1.5),
    "longest": ([1e300, 1e300], 2e300),
    "one size": ([2.0**100 + 2.0**60, 2.0**100, 2.0**99], 2.0**101 + 2.0**99 + 2.0**60),
}
ON_ATHENA = """
rows = [(car, n, None, None, None) for car, numbers in {rows} for n in numbers]
frame = spark.createDataFrame(rows, "{schema}").repartition(3)
frame = frame.withColumn("event_timestamp", F.lit("2026-01-01").cast("timestamp"))
events = frame.withColumn(FUEL, F.col(DISTANCE))
monthly_efficiency(events, "2026-01-01").select("car_chassis", "total_km_driven").writeTo(
    "sums.found"
).create()
"""


@pytest.mark.engines
def test_the_sums_are_the_same_on_athenas_spark(tmp_path_factory):
    rows = [(car, numbers) for car, (numbers, _) in OF_A_CAR.items()]
    code = Path(MODEL.__file__).read_text() + ON_ATHENA.format(rows=rows, schema=SCHEMA)
    # pytest keeps the folders of earlier runs, and this one is large.
    with TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as folder:
        ran = Spark32(Path(folder)).run(["create namespace sums"], {"sums": code}, ["sums.found"])
    assert not ran["errors"], ran["errors"]
    found = {
        row["car_chassis"]: row["total_km_driven"] for row in ran["tables"]["sums.found"]["rows"]
    }
    assert found == {car: total for car, (_, total) in OF_A_CAR.items()}
