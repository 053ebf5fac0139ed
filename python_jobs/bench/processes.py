"""Run a command as a whole process, and measure it: time, CPU time, peak memory of all processes.

The processes of a command are found by a mark in their environment, which every child inherits,
also one that outlives the command (a Java that is kept for the next one).
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

MARK = "BENCHMARK_OF_A_RUN"
INTERVAL = 0.25  # seconds between two looks at the processes
QUIET = 0.1  # the CPU seconds that idle processes may use together in QUIET_FOR seconds
QUIET_FOR = 3

# By this variable each Python compiles its modules anew. Images of containers often set it.
KEEPS_NO_MODULES = "PYTHONDONTWRITEBYTECODE"

# Shared pages are divided among those that share them where the system tells so (Linux).
MEMORY_KIND = "PSS" if psutil.LINUX else "RSS"


class CommandFailedError(Exception):
    """A command ended with another code than 0. The message holds the end of its output."""


@dataclass(frozen=True)
class Measured:
    """What one run took: seconds, CPU seconds and peak bytes of all its processes together."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass
class Watch:
    """Looks at the processes that carry a mark.

    Attributes:
        mark: The value of MARK in their environment.
        peak_bytes: The most memory that they held together at one look.
    """

    mark: str
    peak_bytes: int = 0
    _seen: dict[int, psutil.Process | None] = field(default_factory=dict)
    _cpu: dict[int, float] = field(default_factory=dict)
    _cpu_before: float = 0.0

    def look(self) -> None:
        """Take one sample of memory and CPU time."""
        held = 0
        for process in self.processes():
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    self._cpu[process.pid] = times.user + times.system
                    held += _memory(process)
            except psutil.Error:
                continue  # it has just ended
        self.peak_bytes = max(self.peak_bytes, held)

    def start(self) -> None:
        """Leave out the CPU time up to now."""
        self.look()
        self._cpu_before = sum(self._cpu.values())
        self.peak_bytes = 0

    @property
    def cpu_seconds(self) -> float:
        """CPU time since the start, as of the last look at each process."""
        return sum(self._cpu.values()) - self._cpu_before

    def processes(self) -> Iterator[psutil.Process]:
        """The processes that carry the mark now."""
        pids = set(psutil.pids())
        for pid in self._seen.keys() - pids:
            del self._seen[pid]
        for pid in pids - self._seen.keys():
            self._seen[pid] = self._marked(pid)
        yield from filter(None, list(self._seen.values()))

    def _marked(self, pid: int) -> psutil.Process | None:
        try:
            process = psutil.Process(pid)
            return process if process.environ().get(MARK) == self.mark else None
        except (psutil.Error, OSError):
            return None  # it has ended, or is another user's


def _memory(process: psutil.Process) -> int:
    if psutil.LINUX:
        return process.memory_full_info().pss
    return process.memory_info().rss


def measure(
    commands: Sequence[Sequence[str]],
    environment: Mapping[str, str],
    folder: Path,
    mark: str,
    log: Path,
) -> Measured:
    """Run commands one after the other, and measure them as one.

    Args:
        commands: The commands, each a program and its arguments.
        environment: Variables beside those of this process.
        folder: Where they run.
        mark: What their processes are found by.
        log: The file that their output is appended to.

    Returns:
        What they took together.

    Raises:
        CommandFailedError: One of them failed.
    """
    watch = Watch(mark)
    watch.start()
    ended = threading.Event()

    def keep_looking() -> None:
        while not ended.wait(INTERVAL):
            watch.look()

    looking = threading.Thread(target=keep_looking, daemon=True)
    looking.start()
    variables = {**os.environ, **environment, MARK: mark}
    variables.pop(KEEPS_NO_MODULES, None)
    began = time.perf_counter()
    try:
        for command in commands:
            _run(command, variables, folder, log)
        seconds = time.perf_counter() - began
    finally:
        ended.set()
        looking.join()
    return Measured(seconds, watch.cpu_seconds, watch.peak_bytes)


def _run(command: Sequence[str], environment: dict[str, str], folder: Path, log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        done = subprocess.run(
            command, env=environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
    if done.returncode:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
        raise CommandFailedError(
            f"`{' '.join(command)}` ended with {done.returncode}; the end of {log}:\n"
            + "\n".join(tail)
        )


def wait_until_quiet(mark: str, at_most: float = 120) -> None:
    """Wait until what a command left behind has done its work, a Java that warms up for the next.

    Args:
        mark: What the processes are found by. Without one, there is nothing to wait for.
        at_most: Seconds after which the wait ends in any case.
    """
    watch = Watch(mark)
    deadline = time.monotonic() + at_most
    while any(watch.processes()) and time.monotonic() < deadline:
        watch.start()
        time.sleep(QUIET_FOR)
        watch.look()
        if watch.cpu_seconds < QUIET:
            return


def end_all(mark: str) -> None:
    """End the processes that a contestant has left behind."""
    left = list(Watch(mark).processes())
    for process in left:
        _signal(process.terminate)
    for process in psutil.wait_procs(left, timeout=10)[1]:
        _signal(process.kill)


def _signal(send: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        send()
