"""Commands that build nothing: those without Java, and those that a warm Java helps.

They run as in the README, on the sample, in a git clone of the last commit, in which one Gold model
is changed. dbt-spark alone runs in a copy of the same models that needs no guard.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from python_jobs.bench.benchmark import Result, say
from python_jobs.bench.contestants.base import ROOT, Step, program
from python_jobs.bench.contestants.ours import POOL_OFF, POOL_ON
from python_jobs.bench.contestants.unchecked import copy
from python_jobs.bench.one_step import take

DBT = program("dbt")
DBT_ALONE = [sys.executable, str(Path(__file__).parent / "rivals" / "dbt_alone.py")]

# The ends of the names of steps that are compared.
ALONE, COLD, SECOND = ", dbt-spark alone", ", cold", ", second"

WITHOUT_JAVA = ("parse", "ls", "--help", "deps")

MODEL = "gold_performance_alerts"
TEST = [DBT, "test", "-s", MODEL]
UNIT_TESTS = [DBT, "test", "-s", "test_type:unit"]
CHECK = [program("dbt-spark-contracts"), "check-pr", "--base", "HEAD"]
FORGET_BASE = ["rm", "-rf", "target/pull_request"]
# The first check leaves what it has built of the base to the later ones. The steps keep this order.
WITH_JAVA = (
    Step(f"dbt test -s {MODEL}{COLD}", [TEST], environment=POOL_OFF),
    Step(f"dbt test -s {MODEL}{SECOND}", [TEST], lead_in=[TEST], environment=POOL_ON),
    Step(f"dbt test -s test_type:unit{COLD}", [UNIT_TESTS], environment=POOL_OFF),
    Step(f"check-pr of a new base{COLD}", [CHECK], lead_in=[FORGET_BASE], environment=POOL_OFF),
    Step(f"check-pr{COLD}", [CHECK], environment=POOL_OFF),
    Step(f"check-pr{SECOND}", [CHECK], lead_in=[CHECK], environment=POOL_ON),
)

# The change that is checked: a limit alerts, too. No contract breaks, and no unit test has a limit.
BEFORE, AFTER = 'value > F.col("threshold")', 'value >= F.col("threshold")'

# In place of the guard's macros that the project calls. Without them, it does not parse.
STUBS = "".join(
    f"{{% macro {call} %}}{{% endmacro %}}\n"
    for call in ("begin_run()", "end_run()", "new_rows(relation)")
)


def run(place: Path, runs: int) -> list[Result]:
    """Measure all commands in turn.

    Args:
        place: A folder for all output.
        runs: The number of turns.

    Returns:
        All measured runs. They have no size: it is 0.

    Raises:
        CommandFailedError: If a command failed.
        RuntimeError: If the project cannot be cloned or changed.
    """
    folder = place / "commands"
    project, alone = folder / "project", folder / "alone"
    shutil.rmtree(folder, ignore_errors=True)
    make_clone(project)
    copy(alone)
    (alone / "macros" / "stubs.sql").write_text(STUBS, encoding="utf-8")
    # As without any setting, whatever is set here.
    environment = {"LAKEHOUSE_HOME": str(folder / "home"), "LAKEHOUSE_SIZE": "small"}
    log = folder / "output.log"
    say("commands: building the sample once")
    # After the lead-in, it waits for the archive of Java's classes, if there is none yet.
    build = Step("build", [[DBT, "ls"]], lead_in=[[DBT, "build"]], environment=POOL_OFF)
    take(build, environment, project, log)
    take(Step("parse", [[*DBT_ALONE, "parse"]]), environment, alone, log)
    results = []
    for number in range(1, runs + 1):
        say(f"turn {number} of {runs}")
        for step in [*without_java(), *WITH_JAVA]:
            where = alone if step.name.endswith(ALONE) else project
            measured = take(step, environment, where, log)
            say(f"  {step.name}: {measured.seconds:.1f} s")
            results.append(Result(0, step.name, number, measured))
    return results


def without_java() -> list[Step]:
    """Return the commands that start no Java: each of ours, and the same of dbt-spark alone."""
    steps = []
    for word in WITHOUT_JAVA:
        steps.append(Step(f"dbt {word}", [[DBT, word]]))
        steps.append(Step(f"dbt {word}{ALONE}", [[*DBT_ALONE, word]]))
    return steps


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the steps that are compared with another, and that: dbt-spark alone, or cold."""
    rivals = [(name, f"{name}{ALONE}") for name in names]
    rivals += [(name, f"{name.removesuffix(SECOND)}{COLD}") for name in names]
    return [(name, rival) for name, rival in rivals if rival in names]


def make_clone(folder: Path) -> None:
    """Clone the last commit of the project, and change a model as for a pull request.

    Raises:
        RuntimeError: If this is no git repository, or the model is no longer as it was.
    """
    clone = ["git", "clone", "--quiet", str(ROOT), str(folder)]
    done = subprocess.run(clone, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"--commands clones the project with git: {done.stderr.strip()}")
    model = folder / "models" / "gold" / f"{MODEL}.py"
    text = model.read_text(encoding="utf-8")
    if BEFORE not in text:
        raise RuntimeError(
            f"{model.name} has no {BEFORE}: change it in python_jobs/bench/commands.py"
        )
    model.write_text(text.replace(BEFORE, AFTER, 1), encoding="utf-8")
