"""The keeper of one spare Java: starts it, warms it, and hands it over to one dbt command.

It is a separate process and reads what to start from its standard input. Java lives as long as a
process holds the writing end of Java's standard input: first the keeper, then the command that
takes over. So Java ends with its owner, even if the owner is killed.
"""

import fcntl
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from dbt_spark_contracts.spark import launch, pool

# Timeouts in seconds. A client sends its line at once, and Java stops soon when told to.
LINE_WITHIN = 2
JAVA_ENDS_WITHIN = 10

# The suffix of the folder for a keeper's files, after its process id.
FILES = ".files"

# Nice values of a spare, as in nice(1).
WHILE_WARMING, IN_USE = 10, 0


class Keeper:
    """Owns a Java until a command claims it, a user stops it, or it is idle for too long."""

    def __init__(self, plan: launch.Launch, idle_seconds: float) -> None:
        self.plan = plan
        self.ends_at = time.monotonic() + idle_seconds
        self.place = pool.folder() / plan.key
        # For files that the spare writes before it is used.
        self.files = self.place.with_name(f"{os.getpid()}{FILES}")
        self.is_warm = False
        self.is_handed_over = False
        self.java: launch.Java | None = None
        self.warmer: subprocess.Popen | None = None
        self.claimer: socket.socket | None = None
        self.stopper: socket.socket | None = None

    def run(self) -> None:
        """Keep a spare until it is claimed or has to end. Does nothing if the place is taken.

        Raises:
            JavaEnded: If Java did not start.
        """
        if not self.take_place():
            return
        try:
            self.files.mkdir(mode=0o700)
            self.java = launch.start(self.plan, str(self.files / "spark.log"), subprocess.PIPE)
            self._serve()
        finally:
            self.leave_place()
            self._let_go_of_java()
            shutil.rmtree(self.files, ignore_errors=True)
            if self.stopper:
                with suppress(OSError):  # the client may be gone
                    self.stopper.sendall(b"true")

    def take_place(self) -> bool:
        """Listen on the key's socket, and stop the oldest spares if there are too many.

        Returns:
            False if another keeper already listens there.
        """
        with (self.place.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            others = [place for place in pool.places() if pool.is_kept(place)]
            if self.place in others:
                return False
            for place in others[: len(others) + 1 - pool.MOST_SPARES]:
                pool.ask(place, "stop")
            remove_leftovers(self.place.parent)
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(self.place))
            self.listener.listen()
            return True

    def leave_place(self) -> None:
        # The order matters: while this keeper listens, no other takes the place.
        if self.listener.fileno() >= 0:
            self.place.unlink(missing_ok=True)
            self.listener.close()

    def _start_warmer(self) -> None:
        be_nice(WHILE_WARMING)
        self.warmer = subprocess.Popen(
            [sys.executable, "-m", "dbt_spark_contracts.spark.warm_up"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        told = {"port": self.java.port, "secret": self.java.secret, "folder": str(self.files)}
        self.warmer.stdin.write(json.dumps(told).encode() + b"\n")
        self.warmer.stdin.flush()
        self.events.register(self.warmer.stdout, selectors.EVENT_READ, self._end_warming)

    def _serve(self) -> None:
        """Answer requests until the spare is handed over or has to end."""
        process = self.java.process
        with selectors.DefaultSelector() as self.events:
            self.events.register(self.listener, selectors.EVENT_READ, self._answer)
            self.events.register(process.stdout, selectors.EVENT_READ, self._pass_over)
            self.events.register(process.stderr, selectors.EVENT_READ, self._pass_over)
            goes_on = self._handle_events(0)  # a command may already be waiting
            if goes_on:
                self._start_warmer()
            while goes_on and (left := self.ends_at - time.monotonic()) > 0:
                goes_on = self._handle_events(left)

    def _handle_events(self, seconds: float) -> bool:
        return all(key.data(key.fileobj) for key, _ in self.events.select(seconds))

    def _pass_over(self, output: IO[bytes]) -> bool:
        # An empty read means that Java has ended.
        return bool(os.read(output.fileno(), 65536))

    def _answer(self, listener: socket.socket) -> bool:
        connection, _ = listener.accept()
        connection.settimeout(LINE_WITHIN)
        try:
            asked = json.loads(connection.makefile().readline())["ask"]
        except (OSError, ValueError):
            asked = None  # a probe that only checked whether a keeper listens
        if asked == "claim":
            return self._be_claimed(connection)
        if asked == "stop":
            self.stopper = connection
            return False
        with connection, suppress(OSError):
            if asked == "status":
                connection.sendall(json.dumps(self._status()).encode())
        return True

    def _status(self) -> dict:
        return {
            "java": self.java.process.pid,
            "keeper": os.getpid(),
            "state": "warm" if self.is_warm else "warming",
            "folder": self.plan.folder,
            "seconds_left": round(self.ends_at - time.monotonic()),
        }

    def _be_claimed(self, claimer: socket.socket) -> bool:
        self.events.unregister(self.listener)
        self.leave_place()
        self.claimer = claimer
        self.ends_at = time.monotonic() + pool.ANSWERS_WITHIN
        be_nice(IN_USE)
        if self.is_warm or self.warmer is None:
            return self._hand_over()
        self.warmer.stdin.close()  # it stops after its current statement
        return True

    def _end_warming(self, output: IO[bytes]) -> bool:
        self.events.unregister(output)
        self.is_warm = self.warmer.wait() == 0
        if self.is_warm and self.claimer:
            return self._hand_over()
        return self.is_warm

    def _hand_over(self) -> bool:
        process = self.java.process
        told = json.dumps({"port": self.java.port, "secret": self.java.secret}).encode()
        files = [file.fileno() for file in (process.stdin, process.stdout, process.stderr)]
        with suppress(OSError):  # the claimer is gone, so Java ends as any without an owner
            socket.send_fds(self.claimer, [told], files)
            self.is_handed_over = True
        return False

    def _let_go_of_java(self) -> None:
        """Close this process's end of Java's input. Java ends if no other process holds it."""
        if self.java is None:
            return
        if self.warmer:
            self.warmer.terminate()
        process = self.java.process
        for file in (process.stdin, process.stdout, process.stderr):
            file.close()
        if not self.is_handed_over:
            try:
                process.wait(JAVA_ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()


def remove_leftovers(folder: Path) -> None:
    """Remove files that killed keepers left in the pool's folder."""
    for place in pool.places():
        if not pool.is_kept(place):
            place.unlink(missing_ok=True)
    for files in folder.glob(f"*{FILES}"):
        if not is_running(int(files.name.removesuffix(FILES))):
            shutil.rmtree(files, ignore_errors=True)


def is_running(pid: int) -> bool:
    """Return whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it belongs to another user
    return True


def be_nice(nice: int) -> None:
    """Set the nice value of this session's processes, Java included.

    Only Linux's process groups (autogroup) let an owner raise the priority again. Elsewhere this
    does nothing.
    """
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))


def main() -> None:
    """Keep the spare that standard input describes."""
    told = json.load(sys.stdin)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    Keeper(launch.Launch(**told["launch"]), told["idle_seconds"]).run()


if __name__ == "__main__":
    main()
