"""`python -m python_jobs.small_builds` runs, and docs/operations.md contains its result."""

import re

import pytest

from python_jobs import small_builds
from python_jobs.small_builds import WITH, WITHOUT, Built
from tests.support.dbt_runner import ROOT

FOUND = [
    Built(kind, number, float(number if kind == WITHOUT else 1), files, 10 * files, spent)
    for number in range(1, 21)
    for kind, files, spent in (
        (WITH, 3, 4.0 if number == 20 else 0.0),
        (WITHOUT, 3 * number, 0.0),
    )
]


@pytest.mark.quick
def test_the_figures_and_the_picture(tmp_path):
    text = small_builds.page(FOUND, 20, 100, "a machine")
    assert "| with maintenance | 1.00 s | 1.00 s | 3 | 30 |" in text
    assert "| without | 1.50 s | 19.50 s | 60 | 600 |" in text
    assert "which took 4.0 s (median of 1)" in text
    small_builds.draw(FOUND, tmp_path / "deep" / "picture.png")
    assert (tmp_path / "deep" / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.quick
def test_the_page_has_the_figures_of_a_run():
    text = small_builds.PAGE.read_text(encoding="utf-8")
    part = re.search(
        r"<!-- bench: small builds -->(.*)<!-- bench: small builds end -->", text, re.S
    )
    rows = re.findall(r"^\| (with maintenance|without) \| ([\d.]+) s \| ([\d.]+) s", part[1], re.M)
    assert [kind for kind, *_ in rows] == [WITH, WITHOUT]
    assert (ROOT / "docs/images" / small_builds.PICTURE).is_file()


@pytest.mark.quick
@pytest.mark.parametrize("wrong", [["--builds", "0"], ["--builds", "5", "--every", "6"]])
def test_wrong_arguments_end_with_2(wrong, capsys):
    with pytest.raises(SystemExit) as left:
        small_builds.parse_args(wrong)
    assert left.value.code == 2 and "error: " in capsys.readouterr().err


@pytest.mark.full
def test_a_few_builds(spark, schema):
    lines: list[str] = []
    found = small_builds.measure(spark, schema, 6, 3, 10, lines.append)
    assert [(each.tables, each.number) for each in found] == [
        (kind, number) for number in range(1, 7) for kind in (WITH, WITHOUT)
    ]
    files = {
        kind: [each.files for each in found if each.tables == kind] for kind in (WITH, WITHOUT)
    }
    assert files[WITHOUT] == [3, 5, 7, 9, 11, 13]
    # Iceberg compacts a table from five small files on.
    assert files[WITH] == [3, 5, 7, 9, 11, 3]
    assert [each.number for each in found if each.maintenance] == [3, 6]
    assert len(lines) == 2
