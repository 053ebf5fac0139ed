"""The Athena gate for Python finds APIs that Athena's Spark lacks, by pyspark's version notes."""

import inspect

import pytest
from pyspark.sql import functions

from python_jobs.athena_gate.pyspark_api import newer_api
from tests.support.dbt_runner import ROOT

pytestmark = pytest.mark.quick

IMPORTS = "from pyspark.sql import Window\nfrom pyspark.sql import functions as F\n"


@pytest.fixture
def problems(tmp_path):
    """Return a function that lists the problems in a model with the given text."""

    def find(source: str) -> list[str]:
        file = tmp_path / "model.py"
        file.write_text(source, encoding="utf-8")
        return [line.removeprefix(f"{file}:") for line in newer_api(file)]

    return find


@pytest.mark.parametrize("model", sorted(ROOT.glob("models/*/*.py")), ids=lambda model: model.stem)
def test_the_models_have_none(model):
    assert newer_api(model) == []


def test_a_finding_is_one_line_with_its_place_and_version(problems):
    source = f"{IMPORTS}\n\ndef model(dbt, spark):\n    return dbt.ref('a').agg(F.median('b'))\n"
    assert problems(source) == [
        "6: pyspark.sql.functions.median needs Spark 3.4, but Athena has 3.2"
    ]


@pytest.mark.parametrize(
    ("code", "name", "version"),
    [
        ("F.max_by('a', 'b')", "pyspark.sql.functions.max_by", "3.3"),
        ("(F.col('a') + 1).ilike('b')", "ilike", "3.3"),
        ("frame.withColumns({'a': F.col('b')})", "withColumns", "3.3"),
        ("frame.select('a').unpivot('a', 'b', 'c', 'd')", "unpivot", "3.4"),
        ("frame.isEmpty()", "isEmpty", "3.3"),
        ("frame.sparkSession", "sparkSession", "3.3"),
        ("frame.groupBy('a').applyInPandasWithState()", "applyInPandasWithState", "3.4"),
        ("spark.catalog.tableExists('a')", "tableExists", "3.3"),
        ("spark.sql('select :a', args={'a': 1})", "spark.sql(args=…)", "3.4"),
        ("from pyspark.sql.functions import mode", "pyspark.sql.functions.mode", "3.4"),
        (
            "from pyspark.sql.functions import any_value as a",
            "pyspark.sql.functions.any_value",
            "3.5",
        ),
        ("import pyspark.sql.functions as G\nG.mode('a')", "pyspark.sql.functions.mode", "3.4"),
        ("import pyspark\npyspark.sql.functions.mode", "pyspark.sql.functions.mode", "3.4"),
        ("from pyspark.errors import AnalysisException", "pyspark.errors.AnalysisException", "3.4"),
        ("import pyspark.testing", "pyspark.testing", "3.5"),
        (
            "from pyspark.sql import types as T\nT.TimestampNTZType()",
            "pyspark.sql.types.TimestampNTZType",
            "3.4",
        ),
        (
            "def inner():\n    return [f'{F.mode(a)}' for a in frame]",
            "pyspark.sql.functions.mode",
            "3.4",
        ),
    ],
)
def test_each_way_to_use_it_is_found(problems, code, name, version):
    found = {line.partition(": ")[2] for line in problems(IMPORTS + code)}
    assert found == {f"{name} needs Spark {version}, but Athena has 3.2"}


@pytest.mark.parametrize(
    "code",
    [
        "frame.select(F.col('a').cast('int'), F.aggregate('a', F.lit(0), lambda a, b: a + b))",
        "frame.unionByName(frame, allowMissingColumns=True)",
        "F.row_number().over(Window.partitionBy('a').orderBy(F.col('b').desc_nulls_last()))",
        "import json\njson.mode, json.unpivot",
    ],
)
def test_what_spark_3_2_has_may_be_used(problems, code):
    assert problems(IMPORTS + code) == []


def test_every_function_of_pyspark_has_a_note():
    """The gate would miss a newer function without a note."""
    public = inspect.getmembers(functions, inspect.isfunction)
    own = [(name, f) for name, f in public if f.__module__ == functions.__name__]
    assert len(own) > 400
    assert [name for name, f in own if name[0] != "_" and "versionadded" not in f.__doc__] == []
