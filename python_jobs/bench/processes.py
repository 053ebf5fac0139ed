"""Runs a command and measures all of its processes: time, CPU time and peak memory.

The processes of a command have a mark in their environment. Every child process inherits it, even
one that outlives the command (a Java that is kept for the next one).
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
INTERVAL = 0.25  # seconds between two samples
QUIET = 0.1  # CPU seconds that idle processes may use in QUIET_FOR seconds
QUIET_FOR = 3
STARTING = 10  # seconds after which a process without an environment stays without one

# With this variable, Python recompiles modules each time. Container images often set it.
KEEPS_NO_MODULES = "PYTHONDONTWRITEBYTECODE"

# On Linux, shared pages are divided among the processes that share them.
MEMORY_KIND = "PSS" if psutil.LINUX else "RSS"


class CommandFailedError(Exception):
    """A command ended with an exit code other than 0. The message has the end of its output."""


@dataclass(frozen=True)
class Measured:
    """The cost of one run: seconds, CPU seconds and peak bytes of all processes together."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int

    def __str__(self) -> str:
        """Return the times, for a line of progress."""
        return f"{self.seconds:.1f} s, {self.cpu_seconds:.1f} CPU seconds"


@dataclass
class Watch:
    """Samples the processes that have a mark.

    Attributes:
        mark: The value of MARK in the environment.
        peak_bytes: The largest memory of all of them in one sample.
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
        """Do not count the CPU time so far."""
        self.look()
        self._cpu_before = sum(self._cpu.values())
        self.peak_bytes = 0

    @property
    def cpu_seconds(self) -> float:
        """Return the CPU time since the start, as of the last sample of each process."""
        return sum(self._cpu.values()) - self._cpu_before

    def processes(self) -> Iterator[psutil.Process]:
        """Return the processes that have the mark now."""
        pids = set(psutil.pids())
        for pid in self._seen.keys() - pids:
            del self._seen[pid]
        for pid in pids - self._seen.keys():
            self._find_out(pid)
        yield from filter(None, list(self._seen.values()))

    def _find_out(self, pid: int) -> None:
        try:
            process = psutil.Process(pid)
            environment = process.environ()
            # A process that is just starting a program has no environment yet.
            if environment or time.time() - process.create_time() > STARTING:
                marked = environment.get(MARK) == self.mark
                self._seen[pid] = process if marked else None
        except (psutil.Error, OSError):
            self._seen[pid] = None  # it has ended, or is another user's


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
    """Run commands one after the other, and measure them together.

    Args:
        commands: The commands, each a program and its arguments.
        environment: Additional environment variables.
        folder: Their working directory.
        mark: The mark of their processes.
        log: The file to append their output to.

    Returns:
        Their total cost.

    Raises:
        CommandFailedError: If one of them failed.
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
    """Wait until the remaining processes of a command are idle, such as a Java that warms up.

    Args:
        mark: The mark of the processes. Without one, there is nothing to wait for.
        at_most: The maximum number of seconds.
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
    """End the remaining processes of a contestant."""
    left = list(Watch(mark).processes())
    for process in left:
        _signal(process.terminate)
    for process in psutil.wait_procs(left, timeout=10)[1]:
        _signal(process.kill)


def _signal(send: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        send()
