"""A pool of spare Javas: each is warmed in the background and used by one dbt command.

    python -m dbt_spark_contracts.spark.pool [status|stop]

A command that used Spark leaves a spare when it ends (`leave_spare`). The next command that would
start the same Java takes it (`claim`). Each spare is owned by a keeper (`keeper.py`), which listens
on a Unix socket. The socket is named after the key of the launch, so a Java that differs in
anything is not found.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from dbt_spark_contracts.spark.launch import Java, Launch
from dbt_spark_contracts.spark.private_folder import (
    NotPrivateError,
    cache_folder,
    private_folder,
)
from dbt_spark_contracts.spark.switches import is_ci, is_off

# The environment variable and the profile setting that turn the pool off.
SWITCH = "DBT_SPARK_POOL"
SWITCH_SETTING = "spark.dbt.pool"

# Errors of spares. They go to a log, because they must not disturb the command that ends.
ERRORS = "errors.log"

MOST_SPARES = 2
IDLE_SECONDS = 600

# In seconds. A spare whose Java is still starting answers once it has started.
ANSWERS_WITHIN = 30

# Settings that name files which Spark fetches from elsewhere at start-up and which may change.
FETCHED = ("spark.jars", "spark.files", "spark.archives", "spark.submit.pyFiles")


def is_wanted(settings: dict[str, str]) -> bool:
    """Return whether a command with these settings should use the pool."""
    return not (
        is_off(SWITCH, SWITCH_SETTING, settings)
        or is_ci()
        or settings.get("spark.jars.packages")
        or any("://" in settings.get(name, "").replace("file://", "") for name in FETCHED)
    )


def folder() -> Path:
    """Return the folder of the pool's sockets. Only its owner may use it.

    Raises:
        NotPrivateError: If it cannot be made, or other users have access to it.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    parent = private_folder(Path(runtime, "dbt-spark-contracts")) if runtime else cache_folder()
    return private_folder(parent / "pool")


def claim(launch: Launch) -> Java | None:
    """Take the spare that equals this launch, if there is one. Only one process gets it."""
    try:
        with _connect(folder() / launch.key) as connection:
            _send(connection, {"ask": "claim"})
            line, (stdin, *outputs), *_ = socket.recv_fds(connection, 4096, 3)
        java = Java(**json.loads(line), stdin=os.fdopen(stdin, "wb"))
    except (NotPrivateError, OSError, ValueError):
        return None
    for file in (stdin, *outputs):
        os.set_inheritable(file, False)
    for source, target in zip(outputs, (1, 2), strict=True):
        _copy(source, target)
    return java


def leave_spare(launch: Launch, idle_seconds: float = IDLE_SECONDS) -> None:
    """Start a keeper that starts and warms a spare in the background."""
    with suppress(NotPrivateError, OSError):
        log = (folder() / ERRORS).open("ab")
        keeper = subprocess.Popen(
            [sys.executable, "-m", "dbt_spark_contracts.spark.keeper"],
            # Import modules from where this process has them, not from the working folder.
            env=os.environ | {"PYTHONSAFEPATH": "1"},
            cwd=launch.folder,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        with log, keeper.stdin:
            text = json.dumps({"launch": asdict(launch), "idle_seconds": idle_seconds})
            keeper.stdin.write(text.encode())


def ask(place: Path, what: str) -> dict | None:
    """Ask the keeper at `place` for "status" or "stop". Return None if there is no keeper."""
    with suppress(OSError, ValueError), _connect(place) as connection:
        _send(connection, {"ask": what})
        return json.loads(connection.recv(4096))
    return None


def is_kept(place: Path) -> bool:
    """Return whether a keeper listens at `place`."""
    try:
        _connect(place).close()
    except OSError:
        return False
    return True


def places() -> list[Path]:
    """Return the sockets of the pool, oldest first. The keeper of a socket may be gone."""
    sockets = [path for path in folder().iterdir() if path.is_socket()]
    return sorted(sockets, key=lambda path: path.lstat().st_mtime_ns)


def _connect(place: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWERS_WITHIN)
    try:
        connection.connect(str(place))
    except OSError:
        connection.close()
        raise
    return connection


def _send(connection: socket.socket, message: dict) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _copy(source: int, target: int) -> None:
    """Copy Java's output to this process's own output, as with a Java that it started."""

    def copy() -> None:
        with suppress(OSError):  # the target may be closed
            while said := os.read(source, 65536):
                os.write(target, said)

    threading.Thread(target=copy, name="java-output", daemon=True).start()


def main(arguments: list[str] | None = None) -> None:
    """Print the spare Javas, or end them."""
    parser = argparse.ArgumentParser(
        prog="python -m dbt_spark_contracts.spark.pool",
        description="The warm Javas that wait for the next dbt command.",
    )
    parser.add_argument(
        "action",
        nargs="?",
        choices=("status", "stop"),
        default="status",
        help="status (the default): process, state, memory and the time left of each; "
        "stop: end all of them, but none that a command uses already",
    )
    try:
        print_status() if parser.parse_args(arguments).action == "status" else stop()
    except NotPrivateError as error:
        parser.exit(1, f"There is no pool: {error}\n")


def print_status() -> None:
    """Print a line for each spare."""
    from psutil import Process  # keepers import this module and should stay small

    spares = [said for place in places() if (said := ask(place, "status"))]
    for spare in spares:
        memory = Process(spare["java"]).memory_info().rss >> 20
        print(
            f"Java {spare['java']} ({spare['state']}, {memory} MB) for {spare['folder']}; ends in "
            f"{spare['seconds_left']} s unless it is used; its keeper is {spare['keeper']}"
        )
    if not spares:
        print("No spare Java runs.")
    errors = folder() / ERRORS
    if errors.exists() and errors.stat().st_size:
        print(f"Why spares could not be kept is in {errors}.")


def stop() -> None:
    """End all spares, and print how many."""
    ended = [said for place in places() if (said := ask(place, "stop"))]
    print(f"{len(ended)} spare {'Java' if len(ended) == 1 else 'Javas'} ended.")


if __name__ == "__main__":
    main()
