"""Spare Javas: who gets one, who can use it, and when it ends."""

import inspect
import json
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from dbt_spark_contracts.spark import keeper, launch, pool, warm_up
from dbt_spark_contracts.spark.private_folder import NotPrivateError

from tests.support.pool import local_plan, own_pool, processes, wait_until

KEEPER, WARMER, JAVA = "spark.keeper", "spark.warm_up", "SparkSubmit"


@pytest.fixture
def runtime(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with own_pool() as folder:
        yield folder


@pytest.fixture
def plan(runtime, tmp_path):
    return local_plan(tmp_path)


def leave_spare(plan, **options) -> Path:
    """Leave a spare. Return its place when its keeper listens and its Java runs."""
    pool.leave_spare(plan, **options)
    place = pool.folder() / plan.key
    wait_until(lambda: pool.is_kept(place), "a keeper listens")
    wait_until(lambda: pool.ask(place, "status"), "its Java runs")
    return place


def wait_for_the_end(runtime: Path) -> None:
    wait_until(lambda: not processes(runtime), f"the end of {processes(runtime)}")


class TestClaim:
    def test_one_gets_it_and_nobody_knows_its_secret(self, plan, runtime, tmp_path):
        """One of many concurrent commands gets it. A command with other settings does not."""
        place = leave_spare(plan)
        other = local_plan(tmp_path, **{"spark.driver.memory": "2g"})
        assert pool.claim(other) is None
        seen = " ".join(
            str(said)
            for process in processes(runtime)
            for said in (process.cmdline(), process.environ())
        )
        files = [file for file in runtime.rglob("*") if file.is_file()]
        on_disk = b"".join(file.read_bytes() for file in files)

        barrier = threading.Barrier(8)

        def claim(_):
            barrier.wait()
            return pool.claim(plan)

        with ThreadPoolExecutor(8) as claimers:
            claimed = [java for java in claimers.map(claim, range(8)) if java]
        assert len(claimed) == 1
        assert not place.exists()
        assert pool.claim(plan) is None, "it is used once"

        java = claimed[0]
        assert len(java.secret) > 20
        assert JAVA in seen and java.secret not in seen
        assert files and java.secret.encode() not in on_disk

        wait_until(lambda: not processes(runtime, KEEPER), "its keeper has nothing left to do")
        assert processes(runtime, JAVA)
        java.stdin.close()
        wait_for_the_end(runtime)

    def test_there_is_one_spare_for_one_launch(self, plan, runtime):
        leave_spare(plan)
        java = processes(runtime, JAVA)
        pool.leave_spare(plan)
        wait_until(lambda: len(processes(runtime, KEEPER)) == 1, "the second keeper goes")
        assert processes(runtime, JAVA) == java

    @pytest.mark.slow
    def test_what_java_says_is_passed_on(self, plan, runtime, tmp_path):
        """The output is the same as that of a Java that the command has started itself."""
        leave_spare(plan)
        says = "jvm.java.lang.System.out.println('out loud'); time.sleep(3600)"
        claimer = start_claimer(plan, tmp_path, says)
        assert claimer.stdout.readline() == "out loud\n"
        claimer.kill()
        claimer.wait()

    def test_dead_keeper_is_ignored(self, plan, runtime):
        leave_spare(plan)
        processes(runtime, KEEPER)[0].kill()
        wait_for_the_end(runtime)
        assert pool.claim(plan) is None
        leave_spare(plan)  # the files of the dead keeper do not block a new one
        assert len([*pool.folder().glob(f"*{keeper.FILES}")]) == 1


class TestEnd:
    def test_when_nobody_wants_it(self, plan, runtime):
        pool.leave_spare(plan, idle_seconds=1)
        wait_until(lambda: processes(runtime, KEEPER), "a keeper starts")
        wait_for_the_end(runtime)
        assert [file.name for file in pool.folder().iterdir() if file.name != "lock"] == [
            "errors.log"
        ]

    @pytest.mark.quick
    def test_after_ten_minutes(self, plan, monkeypatch):
        """No clock runs here: the keeper's stands still, and is then set forward."""
        idle = inspect.signature(pool.leave_spare).parameters["idle_seconds"].default
        clock = SimpleNamespace(monotonic=lambda: 1000)
        monkeypatch.setattr(keeper, "time", clock)
        kept = keeper.Keeper(plan, idle)
        kept.java = launch.Java(0, "", process=SimpleNamespace(pid=1))
        assert kept._status()["seconds_left"] == 600
        clock.monotonic = lambda: 1540.4
        assert kept._status()["seconds_left"] == 60

    @pytest.mark.parametrize(
        "name", [JAVA, *(pytest.param(name, marks=pytest.mark.slow) for name in (KEEPER, WARMER))]
    )
    def test_when_it_is_killed(self, plan, runtime, name):
        leave_spare(plan)
        wait_until(lambda: processes(runtime, name), "it runs")[0].kill()
        wait_for_the_end(runtime)
        assert pool.claim(plan) is None

    @pytest.mark.slow
    def test_when_its_keeper_is_killed_while_it_starts(self, plan, runtime):
        pool.leave_spare(plan)
        [java] = wait_until(lambda: processes(runtime, JAVA), "Java starts")
        java.suspend()
        processes(runtime, KEEPER)[0].kill()
        assert processes(runtime, JAVA) == [java]
        java.resume()
        wait_for_the_end(runtime)
        assert pool.claim(plan) is None

    @pytest.mark.slow
    def test_when_who_claimed_it_is_killed(self, plan, runtime, tmp_path):
        leave_spare(plan)
        claimer = start_claimer(plan, tmp_path, "print('claimed', flush=True); time.sleep(3600)")
        assert claimer.stdout.readline() == "claimed\n"
        assert processes(runtime, JAVA)
        claimer.kill()
        claimer.wait()
        wait_for_the_end(runtime)

    def test_by_command(self, plan, runtime, capsys):
        leave_spare(plan)
        java = processes(runtime, JAVA)[0]
        pool.main([])
        said = capsys.readouterr().out
        assert f"Java {java.pid} (warming, " in said and str(plan.folder) in said
        assert 0 < int(re.search(r"ends in (\d+) s unless", said)[1]) <= 600
        assert int(re.search(r"\(warming, (\d+) MB\)", said)[1]) > 0
        pool.main(["stop"])
        assert capsys.readouterr().out == "1 spare Java ended.\n"
        wait_for_the_end(runtime)
        pool.main(["status"])
        assert capsys.readouterr().out == "No spare Java runs.\n"

    def test_the_command_explains_itself(self, capsys):
        with pytest.raises(SystemExit, match="0"):
            pool.main(["--help"])
        assert "stop: end all of them" in capsys.readouterr().out

    def test_of_the_oldest_when_there_are_too_many(self, runtime, tmp_path):
        """The keepers here only listen, so the test needs no Java."""
        plans = [local_plan(tmp_path, **{"spark.driver.memory": f"{n}g"}) for n in (1, 2, 3)]
        keepers = [keeper.Keeper(plan, idle_seconds=60) for plan in plans]
        assert keepers[0].take_place()

        def be_stopped():
            while True:  # the other keepers also connect to check whether it listens
                connection, _ = keepers[0].listener.accept()
                with connection:
                    if json.loads(connection.makefile().readline() or "{}").get("ask") == "stop":
                        keepers[0].leave_place()
                        connection.sendall(b"true")
                        return

        oldest = threading.Thread(target=be_stopped)
        oldest.start()
        # The file system's clock may be too coarse to order the keepers.
        os.utime(keepers[0].place, (0, 0))
        assert keepers[1].take_place()
        assert keepers[2].take_place()
        oldest.join(60)
        assert not oldest.is_alive()
        assert pool.MOST_SPARES == 2
        assert {place.name for place in pool.places()} == {plan.key for plan in plans[1:]}
        for other in keepers[1:]:
            other.leave_place()


class TestMemory:
    def test_java_gives_back_what_it_does_not_use(self, spark):
        """So that a spare that waits holds little."""
        runtime, system = spark._jvm.java.lang.Runtime.getRuntime(), spark._jvm.java.lang.System
        size = 256 << 20
        spark._jvm.java.nio.ByteBuffer.allocate(size)  # which nobody holds
        before = runtime.totalMemory()
        # py4j lets go of it in the background.
        wait_until(lambda: system.gc() or runtime.freeMemory() > size, "it is free")
        warm_up.give_memory_back()
        assert runtime.totalMemory() < before


class TestFolder:
    @pytest.mark.quick
    def test_only_its_owner_can_use_it(self, runtime):
        assert pool.folder().stat().st_mode & 0o777 == 0o700

    @pytest.mark.quick
    @pytest.mark.parametrize("mode", [0o755, 0o710, 0o722])
    def test_one_that_others_can_use_is_none(self, plan, runtime, mode, capsys):
        pool.folder().chmod(mode)
        assert pool.claim(plan) is None
        pool.leave_spare(plan)
        assert not processes(runtime)
        with pytest.raises(SystemExit, match="1"):
            pool.main(["status"])
        assert "chmod 700" in capsys.readouterr().err
        (runtime / "dbt-spark-contracts" / "pool").chmod(0o700)

    @pytest.mark.quick
    def test_a_link_is_none(self, runtime, tmp_path):
        pool.folder().rmdir()
        (runtime / "dbt-spark-contracts" / "pool").symlink_to(tmp_path)
        with pytest.raises(NotPrivateError):
            pool.folder()
        (runtime / "dbt-spark-contracts" / "pool").unlink()


def start_claimer(plan, folder: Path, then: str) -> subprocess.Popen:
    """Start a process that claims the spare and then runs the code `then`, which has `jvm`."""
    program = f"""
import json, sys, time
from pyspark import SparkContext
from dbt_spark_contracts.spark import launch, pool
java = pool.claim(launch.Launch(**json.load(sys.stdin)))
launch.use(java)
jvm = SparkContext._jvm
{then}
"""
    claimer = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
        text=True,
    )
    with claimer.stdin:
        json.dump(asdict(plan), claimer.stdin)
    return claimer
