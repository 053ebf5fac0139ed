"""A file with any name is read, or a line names it, wherever the landing folder is."""

import os
import sys

import pytest
from dbt_spark_contracts.python_models.file_names import unreadable

from tests.support.dbt_runner import environment
from tests.support.events import AS_OF, event
from tests.support.models import python_model
from tests.support.skips import NO_BYTES

NAMES = ("plain.json", "ação.json", "日本.jsonl", "é/🚗.json")
BUILD = ("run", "--select", "bronze_car_events")
# What Python and Java take for the locale C: nobody has installed it.
NOT_INSTALLED = "xx_XX.UTF-8"

needs_bytes = pytest.mark.skipif(sys.platform != "linux", reason=NO_BYTES)


def land(folder, names=NAMES):
    """Write an event to a file of each name, which may be bytes."""
    for name in names:
        file = folder / os.fsdecode(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(event(str(name)))


def files_in_bronze(read, schema):
    return {row["source_file"] for row in read(f"{schema}_bronze", "bronze_car_events")}


@pytest.mark.parametrize("folder", ["été 🚗", 'it\'s "a" {{ folder }} %41'])
def test_the_landing_folder_may_have_any_name(dbt, read, tmp_path, schema, folder):
    land(tmp_path / folder)
    result = dbt(*BUILD, schema=schema, landing_path=str(tmp_path / folder), **AS_OF)
    assert result.success, result.text
    assert files_in_bronze(read, schema) == {*NAMES}


@needs_bytes
def test_a_name_that_is_not_utf_8_is_told(dbt, read, tmp_path, schema):
    landing = tmp_path / "landing"
    land(landing)
    land(landing, [b"caf\xe9.json", b"caf\xe9.jsonl", b"d\xe9r/x.json"])

    result = dbt(*BUILD, schema=schema, landing_path=str(landing), **AS_OF)

    assert result.success, result.text
    assert files_in_bronze(read, schema) == {*NAMES}
    told = f"{landing}: names that are not UTF-8 are not read. Rename "
    assert told + r"caf\xe9.json, caf\xe9.jsonl, d\xe9r" in result.said


@pytest.mark.quick
@needs_bytes
def test_ignored_names_are_not_told(tmp_path):
    ignored = (b"_\xe9.json", b".\xe9.json", b"_folder/\xe9.json")
    land(tmp_path, [*ignored, b"a/\xe9.json", "ação.json"])
    assert unreadable(str(tmp_path), "UTF-8") == [r"a/\xe9.json"]
    assert unreadable(str(tmp_path), "ANSI_X3.4-1968") == [r"a/\xe9.json", "ação.json"]


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["LC_ALL", "LC_CTYPE", "LANG"])
def test_a_locale_that_is_not_installed_hides_no_file(dbt, read, tmp_path, schema, variable):
    land(tmp_path / "landing")
    locale = dict.fromkeys(("LC_ALL", "LC_CTYPE", "LANG"), "") | {variable: NOT_INSTALLED}
    with environment(**locale):
        done = dbt.start(
            *BUILD,
            schema=schema,
            target_path=tmp_path / "target",
            landing_path=str(tmp_path / "landing"),
            **AS_OF,
        )
        text, _ = done.communicate()
    assert done.returncode == 0, text
    assert files_in_bronze(read, schema) == {*NAMES}


@pytest.mark.quick
def test_many_unreadable_values_take_no_longer_each():
    """Hours otherwise: for each one, the parser would count the lines of all the text before it."""
    number = 300_000
    records = python_model("bronze/bronze_car_events").split_json("{a}\n" * number)
    assert len(records) == number
