"""The keeper of one spare Java: starts it, has it warmed, and hands it to one dbt command.

It is a process of its own, which reads what to start from its standard input. Java lives as long as
somebody holds the writing end of Java's standard input: first the keeper, then the command to which
the keeper hands it over. So Java ends with its owner, however that one ends.
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

# A client sends its line at once; a Java that is told to end does so soon.
LINE_WITHIN = 2
JAVA_ENDS_WITHIN = 10

# How the folder of a keeper's files is called, after its process number.
FILES = ".files"

# How nice a spare is to other processes, as of nice(1).
WHILE_WARMING, IN_USE = 10, 0


class Keeper:
    """Owns a Java until a command claims it, somebody stops it, or nobody has for a while."""

    def __init__(self, plan: launch.Launch, idle_seconds: float) -> None:
        self.plan = plan
        self.ends_at = time.monotonic() + idle_seconds
        self.place = pool.folder() / plan.key
        # For what the spare writes before it is used.
        self.files = self.place.with_name(f"{os.getpid()}{FILES}")
        self.is_warm = False
        self.is_handed_over = False
        self.java: launch.Java | None = None
        self.warmer: subprocess.Popen | None = None
        self.claimer: socket.socket | None = None
        self.stopper: socket.socket | None = None

    def run(self) -> None:
        """Keep a spare until it is claimed or has to end. Does nothing if there is one already.

        Raises:
            JavaEnded: Java did not start.
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
                with suppress(OSError):  # who asked may have gone
                    self.stopper.sendall(b"true")

    def take_place(self) -> bool:
        """Listen at the key's place, and end the oldest spares if there are too many."""
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
        # In this order: as long as this one listens, no other takes the place.
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
        """Answer who asks, until the spare is handed over or has to end."""
        process = self.java.process
        with selectors.DefaultSelector() as self.events:
            self.events.register(self.listener, selectors.EVENT_READ, self._answer)
            self.events.register(process.stdout, selectors.EVENT_READ, self._pass_over)
            self.events.register(process.stderr, selectors.EVENT_READ, self._pass_over)
            goes_on = self._handle_events(0)  # a command may wait already
            if goes_on:
                self._start_warmer()
            while goes_on and (left := self.ends_at - time.monotonic()) > 0:
                goes_on = self._handle_events(left)

    def _handle_events(self, seconds: float) -> bool:
        return all(key.data(key.fileobj) for key, _ in self.events.select(seconds))

    def _pass_over(self, output: IO[bytes]) -> bool:
        # Nothing to read is the end of Java.
        return bool(os.read(output.fileno(), 65536))

    def _answer(self, listener: socket.socket) -> bool:
        connection, _ = listener.accept()
        connection.settimeout(LINE_WITHIN)
        try:
            asked = json.loads(connection.makefile().readline())["ask"]
        except (OSError, ValueError):
            asked = None  # one that only looked whether somebody listens
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
        self.warmer.stdin.close()  # it stops after what it is at
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
        with suppress(OSError):  # the claimer is gone, and Java ends like any that nobody holds
            socket.send_fds(self.claimer, [told], files)
            self.is_handed_over = True
        return False

    def _let_go_of_java(self) -> None:
        """Close this process's end of Java's input: if nobody else holds it, Java ends."""
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
    """Remove from the pool's folder what keepers that were killed have left there."""
    for place in pool.places():
        if not pool.is_kept(place):
            place.unlink(missing_ok=True)
    for files in folder.glob(f"*{FILES}"):
        if not is_running(int(files.name.removesuffix(FILES))):
            shutil.rmtree(files, ignore_errors=True)


def is_running(pid: int) -> bool:
    """Is there a process of that number?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user
    return True


def be_nice(nice: int) -> None:
    """Set how nice this session's processes, Java among them, are to all others.

    Only of Linux's groups of processes may an owner raise the priority again, so it is done where
    there are some.
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
