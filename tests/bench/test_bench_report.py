"""The benchmark's report: medians, ratios, tables, plot, and the page in docs/."""

import pytest

from python_jobs.bench import __main__ as command_line
from python_jobs.bench import commands, report
from python_jobs.bench.benchmark import Result
from python_jobs.bench.docs_page import NoMarkersError, replace_part
from python_jobs.bench.figures import Figure, ratio, summarize
from python_jobs.bench.growth import COLD, NEW, NOTHING_NEW, START_UP, Grown, Tables
from python_jobs.bench.many_models import STEPS
from python_jobs.bench.parts import PARTS
from python_jobs.bench.plot import draw
from python_jobs.bench.processes import Measured


def results(step: str, *seconds: float, size: int = 100) -> list[Result]:
    """Return the results of a step, one for each turn."""
    return [
        Result(size, step, turn, Measured(taken, 2 * taken, 1024**3))
        for turn, taken in enumerate(seconds, start=1)
    ]


BUILDS = results("D cold", 30, 20, 50) + results("H", 10, 20, 12) + results("K", 5, 4, 6)


def test_a_figure_is_the_median_and_the_range():
    assert summarize([30, 20, 50]) == Figure(30, 20, 50)
    assert summarize([1, 2]) == Figure(1.5, 1, 2)


def test_a_ratio_is_of_medians_and_its_range_of_pairs():
    # The pairs are 30/10, 20/20 and 50/12. The ratio of the medians, 30/12, is none of them.
    assert ratio(BUILDS, 100, "D cold", "H") == Figure(30 / 12, 1, 50 / 12)


def test_the_tables_of_the_builds():
    assert report.builds(BUILDS).splitlines()[2:] == [
        "| 100 | D cold | 30.0 (20.0 to 50.0) | 60.0 | 1,024 |",
        "| 100 | H | 12.0 (10.0 to 20.0) | 24.0 | 1,024 |",
        "| 100 | K | 5.0 (4.0 to 6.0) | 10.0 | 1,024 |",
        "",
        "| events | what | / H | / K |",
        "| --: | --- | --: | --: |",
        "| 100 | D cold | 2.50 (1.00 to 4.17) | 6.00 (5.00 to 8.33) |",
    ]


def test_rivals_alone_have_no_ratios():
    assert "/ H" not in report.builds(results("H", 1))


def test_the_table_of_models_says_how_the_cost_grows():
    run, ls = STEPS
    few = results(run, 10, 12, size=10) + results(ls, 2, 2, size=10)
    many = results(run, 11, 22, size=500) + results(ls, 3, 3, size=500)
    assert report.models(few + many).endswith(
        "With 500 models, `dbt run -s one` takes 1.50 (1.10 to 1.83) times as long as with 10.\n\n"
        "With 500 models, `dbt ls -s one` takes 1.50 (1.50 to 1.50) times as long as with 10."
    )


def test_each_command_is_compared_with_what_differs_in_one_thing():
    names = [step.name for step in [*commands.without_java(), *commands.WITH_JAVA]]
    assert commands.pairs(names) == [
        ("dbt parse", "dbt parse, dbt-spark alone"),
        ("dbt ls", "dbt ls, dbt-spark alone"),
        ("dbt --help", "dbt --help, dbt-spark alone"),
        ("dbt deps", "dbt deps, dbt-spark alone"),
        (
            "dbt test -s gold_performance_alerts, second",
            "dbt test -s gold_performance_alerts, cold",
        ),
        ("check-pr, second", "check-pr, cold"),
    ]


def test_the_tables_of_commands():
    found = results("dbt ls", 4, 2, size=0) + results("dbt ls, dbt-spark alone", 2, 2, size=0)
    assert report.commands(found).splitlines()[2:] == [
        "| dbt ls | 3.0 (2.0 to 4.0) | 6.0 | 1,024 |",
        "| dbt ls, dbt-spark alone | 2.0 (2.0 to 2.0) | 4.0 | 1,024 |",
        "",
        "| command | compared with | times the seconds |",
        "| --- | --- | --: |",
        "| dbt ls | dbt ls, dbt-spark alone | 1.50 (1.00 to 2.00) |",
    ]


def test_the_settings_of_java_are_compared_by_seconds_and_by_cpu_seconds():
    found = [
        Result(size, setting, 1, Measured(taken, cpu, 1024**3))
        for size, setting, taken, cpu in (
            *((100, "small", 10, 10), (100, "large", 12, 20)),
            *((300_000, "small", 60, 90), (300_000, "large", 40, 80)),
        )
    ]
    lines = report.java_sizes(found).splitlines()
    assert "| 300,000 | large | 40.0 (40.0 to 40.0) | 80.0 | 1,024 |" in lines
    assert "| 100 | 0.83 (0.83 to 0.83) | 0.50 (0.50 to 0.50) |" in lines
    assert "| 300,000 | 1.50 (1.50 to 1.50) | 1.12 (1.12 to 1.12) |" in lines


def grown(size: int, step: str, cpu: float, files: int = 1) -> Grown:
    """A step that took half as many seconds as CPU seconds, with tables of two files each."""
    tables = Tables(rows=size, files=2, size=size * 1024**2)
    layers = dict.fromkeys(("bronze", "silver", "gold"), tables)
    return Grown(size, step, 1, Measured(cpu / 2, cpu, 1024**3), files, layers)


def test_the_tables_of_growth_are_by_cpu_seconds_less_start_up():
    found = [
        grown(size, step, cpu)
        for size, cold in ((1000, 50), (2000, 90))
        for step, cpu in ((START_UP, 10), (COLD, cold), (NOTHING_NEW, 12), (NEW, cold / 5))
    ]
    lines = report.growth(found).splitlines()
    assert "| 2,000 | cold | 45.0 (45.0 to 45.0) | 90.0 | 1,024 |" in lines
    # 40 CPU seconds of a thousand events, and 80 of two thousand, are as many of a million.
    assert "| 1,000 | 10.0 | 50.0 | 40,000 | 0.20 | 2.0 |" in lines
    assert "| 2,000 | 10.0 | 90.0 | 40,000 | 0.20 | 2.0 |" in lines
    assert "| 2,000 | 1 % new | 2 | 2 | 2 | 2,000 | 2,000 | 2,000 |" in lines


def test_small_files_are_compared_with_one_file():
    found = [
        grown(1000, step, cpu, files)
        for files, times in ((1, 1), (1000, 3))
        for step, cpu in ((COLD, 20 * times), (NOTHING_NEW, 10 * times))
    ]
    text = report.small_files(found)
    assert "| 1,000 | 1,000 | cold | 30.0 (30.0 to 30.0) | 60.0 | 1,024 | 2 | 2 | 2 |" in text
    assert text.endswith("1,000 files of one event take 3.00 times the CPU seconds of one file.")


def test_the_plot_is_a_picture(tmp_path):
    larger = results("D cold", 9, size=10_000) + results("H", 8, size=10_000)
    draw(BUILDS + larger + results("K", 1, size=10_000), tmp_path / "times.png")
    assert (tmp_path / "times.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_keeps_what_is_not_measured(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "Before\n<!-- bench: builds -->\nold\n<!-- bench: builds end -->\nbetween\n"
        "<!-- bench: models -->\nkept\n<!-- bench: models end -->\nafter\n"
    )
    replace_part(page, "builds", "new")
    assert page.read_text() == (
        "Before\n<!-- bench: builds -->\nnew\n<!-- bench: builds end -->\nbetween\n"
        "<!-- bench: models -->\nkept\n<!-- bench: models end -->\nafter\n"
    )
    with pytest.raises(NoMarkersError, match=r"page\.md needs a line <!-- bench: other -->"):
        replace_part(page, "other", "new")


def test_the_page_of_the_project_takes_the_figures(tmp_path, monkeypatch):
    page = tmp_path / "performance.md"
    page.write_text(command_line.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(command_line, "PAGE", page)
    figures = {part: f"the {part}" for part in PARTS}
    command_line.write_docs("how", figures, BUILDS)
    written = page.read_text(encoding="utf-8")
    assert "how\n\nthe builds\n\n![Seconds of each run](images/performance.png)\n" in written
    assert all(f"how\n\nthe {part}\n" in written for part in PARTS if part != "builds")
    assert (tmp_path / "images" / "performance.png").exists()


@pytest.mark.parametrize(
    "arguments", [["--sizes", "0"], ["--runs", "many"], ["--contestants", "X"]], ids=" ".join
)
def test_wrong_arguments_end_in_one_line(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        command_line.parse_args(arguments)
    assert arguments[0] in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    "given, told",
    [
        ("", "--sizes 100 --runs 5"),
        ("--smoke", "--smoke"),
        ("--models 10 500 10 --runs 3", "--models 10 500 --runs 3"),
        ("--contestants K D --out x --runs 1", "--sizes 100 --runs 1 --contestants K D"),
        ("--no-warm-up --write-docs", "--sizes 100 --runs 5 --no-warm-up"),
        ("--growth 100 200 --runs 1 --contestants D", "--growth 100 200 --runs 1"),
        ("--small-files 10 --no-warm-up", "--small-files 10 --runs 5"),
        ("--java-sizes 10 20 --write-docs", "--java-sizes 10 20 --runs 5"),
        ("--commands --runs 3", "--commands --runs 3"),
        ("--commands --smoke", "--smoke"),
    ],
)
def test_the_report_names_the_command_without_folders(given, told):
    args = command_line.parse_args(given.split())
    assert command_line.command_of(args) == f"python -m python_jobs.bench {told}"


def test_another_part_alone_measures_no_contestant():
    for part in ("--models", "--growth", "--small-files", "--java-sizes"):
        assert command_line.parse_args([part, "10", "500"]).sizes == []
    assert command_line.parse_args(["--commands"]).sizes == []
    assert command_line.parse_args([]).sizes == [100]
