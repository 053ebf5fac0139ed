"""The lease has one owner at a time, whatever clocks and processes do. Needs no Spark.

The real code runs on an in-memory store in a single-threaded simulation. Whenever the code sleeps,
simulated time passes and the other processes renew their leases.
"""

import json
import os
import platform
import subprocess
import sys
import time

import psutil
import pytest
from dbt_spark_contracts.publish import process as process_module
from dbt_spark_contracts.publish.lease import Clock, Lease, Locked, Lost, Record
from dbt_spark_contracts.publish.process import has_ended, this_process
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.dbt_runner import ROOT
from tests.support.namespaces import alone

pytestmark = pytest.mark.quick

TERM = 30.0


class Memory:
    """A store that counts its changes.

    Attributes:
        meanwhile: A run, and an action that is done before that run's next swap.
    """

    def __init__(self) -> None:
        self.version, self.text = 0, ""
        self.meanwhile = None

    def read(self):
        return self.version, Record.of(self.text)

    def swap(self, seen, record) -> bool:
        if self.meanwhile and record and record.run == self.meanwhile[0]:
            (_, meanwhile), self.meanwhile = self.meanwhile, None
            meanwhile()
        if seen != self.version:
            return False
        self.version += 1
        self.text = record.text() if record else ""
        return True


class World:
    """Simulated time, and processes that renew their leases while they run."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.store = Memory()
        self.machines = [Machine(self, name) for name in ("here", "there", "elsewhere")]

    def pass_time(self, seconds: float) -> None:
        while seconds > 0:
            step = min(seconds, 1.0)
            seconds -= step
            self.time += step
            for machine in self.machines:
                machine.beat()


class Machine:
    """A machine with its own clock and at most one build."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.skew = 0.0
        self.lease: Lease | None = None
        self.is_stopped = False
        self.beaten = 0.0
        self.must_not_lose = False

    def start(self, wait: float = 0.0) -> bool:
        """Start a build. Return whether it has the lease."""
        clock = Clock(lambda: self.world.time, lambda: self.world.time + self.skew, self.sleep)
        lease = Lease(self.world.store, self.name, "now", TERM, {"host": self.name}, clock=clock)
        try:
            lease.take(wait)
        except Locked:
            return False
        self.lease, self.is_stopped, self.beaten = lease, False, self.world.time
        self.must_not_lose = True
        return True

    def sleep(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    def beat(self) -> None:
        if self.lease and not self.is_stopped and self.world.time - self.beaten >= TERM / 3:
            self.renew()

    def renew(self) -> bool:
        """Renew the lease. Return whether the machine still owns it, as a publish requires."""
        try:
            self.lease.renew()
        except Lost:
            assert not self.must_not_lose, f"{self.name} ran all the time, and lost its lease"
            self.lease = None
            return False
        self.beaten = self.world.time
        self.must_not_lose = not self.is_stopped
        return True


machines = st.integers(0, 2)


class Protocol(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.world = World()

    def at(self, number: int) -> Machine:
        return self.world.machines[number]

    @rule(number=machines, wait=st.sampled_from([0.0, 5.0, 200.0]))
    def start(self, number, wait):
        machine = self.at(number)
        if machine.lease is None:
            machine.start(wait)

    @rule(number=machines, other=machines)
    def start_together(self, number, other):
        """The rival takes the lease between this machine's read and swap."""
        machine, rival = self.at(number), self.at(other)
        if machine.lease is None and rival.lease is None and machine is not rival:
            self.world.store.meanwhile = machine.name, rival.start
            machine.start()
            self.world.store.meanwhile = None
            assert not (machine.lease and rival.lease)

    @rule(seconds=st.sampled_from([1.0, TERM / 2, TERM + 2, 10 * TERM]))
    def time_passes(self, seconds):
        self.world.pass_time(seconds)

    @rule(number=machines)
    def stop(self, number):
        """SIGSTOP, or the machine is suspended."""
        self.at(number).is_stopped = True
        self.at(number).must_not_lose = False

    @rule(number=machines)
    def wake_up(self, number):
        machine = self.at(number)
        if machine.is_stopped and machine.lease:
            machine.is_stopped = False

    @rule(number=machines)
    def die(self, number):
        """SIGKILL."""
        self.at(number).lease = None

    @rule(number=machines, other=machines)
    def be_taken_for_dead(self, number, other):
        """The process is stopped, a rival takes over, and the process continues."""
        machine, rival = self.at(number), self.at(other)
        if machine.lease and machine is not rival and rival.lease is None:
            self.stop(number)
            started = rival.start(wait=3 * TERM)
            machine.is_stopped = False
            assert not (started and machine.renew())

    @rule(number=machines, seconds=st.sampled_from([-86400.0, -TERM, TERM, 86400.0]))
    def set_the_clock(self, number, seconds):
        self.at(number).skew += seconds

    @rule(number=machines)
    def publish(self, number):
        """A machine may publish only if its record is the stored one."""
        machine = self.at(number)
        if machine.lease and not machine.is_stopped and machine.renew():
            assert self.world.store.read()[1].owner == machine.lease.owner

    @rule(number=machines)
    def end(self, number):
        machine = self.at(number)
        if machine.lease and not machine.is_stopped:
            record = self.world.store.read()[1]
            was_mine = record is not None and record.owner == machine.lease.owner
            version = self.world.store.version
            machine.lease.give_back()
            assert (self.world.store.version > version) == was_mine
            machine.lease = None

    @precondition(lambda self: not any(m.lease and not m.is_stopped for m in self.world.machines))
    @rule(number=machines)
    def nobody_is_locked_out_for_ever(self, number):
        """If no build runs, a build that waits gets the lease, whatever the clocks say."""
        machine = self.at(number)
        if machine.lease is None:
            assert machine.start(wait=3 * TERM)

    @invariant()
    def one_owner(self):
        sure = [m for m in self.world.machines if m.must_not_lose and m.lease]
        record = self.world.store.read()[1]
        assert len(sure) <= 1
        assert all(record and record.owner == machine.lease.owner for machine in sure)


Protocol.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestProtocol = Protocol.TestCase


def test_a_dead_lease_of_another_host_is_taken_when_it_was_seen_unchanged_for_its_term():
    world = World()
    here, there, _ = world.machines
    assert there.start()
    there.lease = None  # SIGKILL
    assert not here.start()  # the owner may be alive, because the lease was renewed just now
    world.pass_time(TERM + 1)
    begun = world.time
    assert here.start()
    assert TERM < world.time - begun < TERM + 3


def test_a_record_that_is_not_understood_runs_out_too():
    world = World()
    for text in ("{", "[]", '{"owner": 1}', json.dumps({**_record(), "term": 1e12})):
        world.store.text = text
        assert not world.store.read()[1].process
        assert world.machines[0].start(wait=1000)
        world.machines[0].lease.give_back()
        world.machines[0].lease = None


def _record() -> dict:
    return json.loads(Record("owner", "run", "now", TERM).text())


def test_who_takes_over_learns_of_all_that_is_not_cleared_up():
    world = World()
    one, other, third = world.machines
    assert one.start()
    one.lease = None
    world.pass_time(2 * TERM)
    assert other.start()  # killed before it has cleaned up
    other.lease = None
    world.pass_time(2 * TERM)
    assert third.start()
    assert world.store.read()[1].left == ("here", "there")
    third.lease.cleared_up()
    assert world.store.read()[1].left == ()


# Processes that have certainly ended


@pytest.fixture
def other_process():
    """Yield a running process."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def told_of(pid: int) -> dict:
    """Return the description of a dbt process and a Java process, both with this PID."""
    start = process_module._start(pid)
    return {**this_process(pid), "dbt": [pid, start], "java": [pid, start]}


def test_a_process_that_is_gone_has_ended(other_process):
    process = told_of(other_process.pid)
    assert not has_ended(process)
    other_process.kill()  # it becomes a zombie
    deadline = time.monotonic() + 10
    while psutil.Process(other_process.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
    assert has_ended(process)
    other_process.wait()
    assert has_ended(process)
    assert has_ended({**told_of(os.getpid()), "dbt": [os.getpid(), 1], "java": [1, 1]})


def test_of_a_process_elsewhere_nothing_is_certain(other_process):
    process = told_of(other_process.pid)
    other_process.kill()
    other_process.wait()
    assert has_ended(process)
    for place in ("host", "boot", "pids"):
        assert not has_ended({**process, place: "another"})
        assert not has_ended({**process, place: None})
    assert not has_ended({})
    assert not has_ended({**process, "dbt": "x"})


def test_java_is_waited_for(other_process):
    """dbt has ended. Its Java process is still alive and may be writing."""
    process = {**told_of(other_process.pid), "dbt": [other_process.pid, -1]}
    subprocess.Popen(["sh", "-c", f"sleep 1; kill -9 {other_process.pid}"])
    begun = time.monotonic()
    assert has_ended(process)
    assert time.monotonic() - begun > 0.5


def test_container_with_the_same_host_name_is_a_different_place():
    """The container has its own PIDs, which mean nothing outside of it."""
    code = (
        "import json, os; from dbt_spark_contracts.publish.process import this_process; "
        "print(json.dumps(this_process(os.getpid())))"
    )
    said = subprocess.run(
        [*alone(), sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    inside = json.loads(said.stdout)
    assert inside["host"] == platform.node()
    assert inside["dbt"][0] < 10  # outside the container this PID is another process, or unused
    assert not has_ended(inside)
