"""One build at a time on the same tables: a lease with an owner, a term and a heartbeat.

The lease is a record that all builds can read. It changes only by compare-and-swap. A running build
renews its record several times per term, so the record keeps changing. A build that has seen a
record unchanged for its whole term may take the lease over, on any host.

No wall clock is trusted, neither another machine's nor the local one, which may be adjusted. The
observer measures a term with its own monotonic clock. The time inside a record is only a hint
whether it is worth watching.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

# How often a lease is renewed per term.
BEATS_A_TERM = 3
# The longest term of a record, in seconds. A longer one is treated as invalid.
LONGEST_TERM = 3600.0
DEFAULT_TERM = 90.0
# The longest pause between two looks at a record, in seconds.
LONGEST_PAUSE = 1.0
# After this many failed commits without another writer, further attempts are pointless.
MOST_FAILURES = 5


@dataclass(frozen=True)
class Record:
    """The owner of the lease. Each renewal changes `beat`.

    Attributes:
        owner: A random id for this acquisition of the lease.
        run: The run's name, for messages and for cleaning up after it.
        since: When the lease was taken, for messages.
        term: The seconds without a change after which others may take it.
        beat: The number of renewals.
        renewed: The time of the last renewal by the owner's clock. Only a hint.
        process: The result of `process.this_process`.
        left: Runs that ended without releasing their lease and still need cleaning up.
    """

    owner: str
    run: str
    since: str
    term: float
    beat: int = 0
    renewed: float = 0.0
    process: dict = field(default_factory=dict)
    left: tuple[str, ...] = ()

    def text(self) -> str:
        """The record as it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: "str | None") -> "Record | None":
        """Parse a stored record.

        Args:
            text: The stored text, or None.

        Returns:
            The record, or None if there is none. A text that is not understood becomes a record
            with the default term.
        """
        if not text:
            return None
        try:
            stored = json.loads(text)
            record = cls(**{**stored, "left": tuple(map(str, stored["left"]))})
            if 0 < float(record.term) <= LONGEST_TERM and isinstance(record.process, dict):
                return replace(record, run=str(record.run), term=float(record.term))
        except (ValueError, TypeError, KeyError):
            pass
        return cls(owner=text, run="a build of another version", since="?", term=DEFAULT_TERM)


class Store(Protocol):
    """The place that stores the record."""

    def read(self) -> "tuple[Any, Record | None]":
        """Return a token for the stored state, and the record."""

    def swap(self, seen: Any, record: "Record | None") -> bool:
        """Store the record if the state is still `seen`. Return whether it was stored."""


class Locked(Exception):
    """Another build has the lease."""

    def __init__(self, other: Record) -> None:
        super().__init__(f"{other.run} has the lease")
        self.other = other


class Lost(Exception):
    """The lease was taken over by another build, or released."""

    def __init__(self, other: "Record | None") -> None:
        super().__init__("the lease is lost")
        self.other = other


@dataclass
class Clock:
    """The clocks. Tests pass their own."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


# Leases that have ended although their record may still exist. They belong to the process: a later
# command in it would see that record with a process that is still running.
_ended: set[str] = set()


class Lease:
    """This command's lease."""

    def __init__(
        self,
        store: Store,
        run: str,
        since: str,
        term: float = DEFAULT_TERM,
        process: "dict | None" = None,
        has_ended: Callable[[dict], bool] = lambda process: False,
        clock: "Clock | None" = None,
    ) -> None:
        self.owner = secrets.token_hex(16)
        self.is_lost = False
        self._store = store
        self._mine = Record(self.owner, run, since, term, process=process or {})
        self._has_ended = has_ended
        self._clock = clock or Clock()
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        self._beating: threading.Thread | None = None

    def take(
        self,
        wait: float = 0.0,
        watch: bool = False,
        waits_for: Callable[[Record], None] = lambda other: None,
    ) -> tuple[str, ...]:
        """Take the lease.

        Args:
            wait: The seconds to wait for a running build.
            watch: Whether to watch a record for its whole term even if it seems alive.
            waits_for: Called once with the record that blocks this command.

        Returns:
            The runs to clean up after: they ended without releasing their lease.

        Raises:
            Locked: If another build has the lease and has renewed it recently.
        """
        clock = self._clock
        last: Record | None = None
        observed = waited = 0.0
        was_renewed = is_told = False
        failures = 0
        looked = clock.monotonic()
        while True:
            seen, other = self._store.read()
            if other is None or self._may_take_over(other, last, observed):
                left = () if other is None else (*other.left, other.run)
                mine = replace(self._mine, renewed=clock.now(), left=left)
                if self._store.swap(seen, mine) and self._is_mine(self._store.read()[1]):
                    self._mine = mine
                    return left
                failures += 1
                if failures >= MOST_FAILURES:
                    raise Locked(self._store.read()[1] or mine)
                continue
            if other != last:
                was_renewed = last is not None and other.owner == last.owner
                last, observed = other, 0.0
            seems_alive = abs(clock.now() - other.renewed) <= other.term
            if waited >= wait and (was_renewed or (seems_alive and not watch)):
                raise Locked(other)
            if not is_told:
                waits_for(other)
                is_told = True
            pause = min(LONGEST_PAUSE, other.term / 10)
            clock.sleep(pause)
            now = clock.monotonic()
            # A pause that took longer may have suspended the other build, too.
            observed += min(now - looked, 2 * pause)
            waited += now - looked
            looked = now

    def _may_take_over(self, other: Record, last: "Record | None", observed: float) -> bool:
        if other.owner in _ended:
            return True
        if other == last and observed > other.term:
            return True
        return self._has_ended(other.process)

    def _is_mine(self, record: "Record | None") -> bool:
        return record is not None and record.owner == self.owner

    def cleared_up(self) -> None:
        """Record that the runs returned by `take` are cleaned up.

        Raises:
            Lost: If another build has taken the lease.
        """
        self._change(left=())

    def rename(self, run: str) -> None:
        """Record another run name, which is cleaned up after if this command is killed.

        Raises:
            Lost: If another build has taken the lease.
        """
        self._change(run=run)

    def renew(self) -> None:
        """Renew the lease. Afterwards nobody else can take it for a term.

        Raises:
            Lost: If another build has taken it.
        """
        self._change()

    def _change(self, **changes: Any) -> None:
        with self._one_at_a_time:
            for _ in range(MOST_FAILURES):
                seen, record = self._store.read()
                if not self._is_mine(record):
                    self.is_lost = True
                    raise Lost(record)
                mine = replace(
                    self._mine, beat=self._mine.beat + 1, renewed=self._clock.now(), **changes
                )
                if self._store.swap(seen, mine):
                    self._mine = mine
                    return
            raise TimeoutError(f"the lease of {self._mine.run} could not be renewed")

    def keep(self, failed: Callable[[Exception], None] = lambda error: None) -> None:
        """Renew the lease in a thread until it is released or lost."""
        self._beating = threading.Thread(target=self._beat, args=(failed,), daemon=True)
        self._beating.name = "lease"
        self._beating.start()

    def _beat(self, failed: Callable[[Exception], None]) -> None:
        while not self._stop.wait(self._mine.term / BEATS_A_TERM):
            try:
                self.renew()
            except Lost:
                return
            except Exception as error:  # the next beat may succeed
                failed(error)

    def give_back(self) -> None:
        """Release the lease if it is still this command's, and always stop the heartbeat."""
        self._stop.set()
        if self._beating:
            self._beating.join(timeout=self._mine.term)
        _ended.add(self.owner)
        for _ in range(MOST_FAILURES):
            seen, record = self._store.read()
            if not self._is_mine(record) or self._store.swap(seen, None):
                return
