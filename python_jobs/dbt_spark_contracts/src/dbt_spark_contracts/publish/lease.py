"""One build at a time on the same tables: a lease, with an owner, a term and a heartbeat.

The lease is a record that all builds see. It changes by compare-and-swap on what was seen, and in
no other way. While a build runs, it renews its record several times a term, so that the record
changes. Whoever has seen a record stay the same for its whole term takes it over, on any host.

No clock of another machine is believed, nor this one's, which may be set: a term is counted by the
observer's own monotonic clock. The time that a record tells of itself only says whether it is worth
while to watch it.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

# How often a lease is renewed in its term.
BEATS_A_TERM = 3
# A term that a record may ask for, in seconds: one that nobody could mean is none.
LONGEST_TERM = 3600.0
DEFAULT_TERM = 90.0
# How often a record is looked at while it is waited for, in seconds.
LONGEST_PAUSE = 1.0
# A commit that fails though nobody else has changed the record will fail again.
MOST_FAILURES = 5


@dataclass(frozen=True)
class Record:
    """Who has the lease. Each renewal changes `beat`.

    Attributes:
        owner: A random name of this one taking of the lease.
        run: The run's name, for people and for what is cleared up after it.
        since: When it was taken, for people.
        term: After how many seconds without a change others may take it.
        beat: How often it was renewed.
        renewed: When, by the owner's clock: a hint.
        process: What `process.this_process` tells.
        left: Runs that ended without giving their lease back, and are not cleared up after yet.
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
        """The record that was stored so; None of none. One that is not understood has a term."""
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
    """Where the record is."""

    def read(self) -> "tuple[Any, Record | None]":
        """What is stored now, and a token of having seen that."""

    def swap(self, seen: Any, record: "Record | None") -> bool:
        """Store the record if nothing has been stored since `seen`; whether that was so."""


class Locked(Exception):
    """Another build has the lease."""

    def __init__(self, other: Record) -> None:
        super().__init__(f"{other.run} has the lease")
        self.other = other


class Lost(Exception):
    """The lease was taken over by another build, or given back."""

    def __init__(self, other: "Record | None") -> None:
        super().__init__("the lease is lost")
        self.other = other


@dataclass
class Clock:
    """The clocks; a test has its own."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


# The leases that have ended, though their record may still stand. They belong to the process: a
# later command sees that record, and that the process in it still runs.
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
            wait: How many seconds to wait for a build that runs.
            watch: Watch a record for its whole term, also one that seems to be alive.
            waits_for: Called once with the record that is waited for.

        Returns:
            The runs to clear up after: those that have ended without giving their lease back.

        Raises:
            Locked: Another build has the lease, and has renewed it lately.
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
            # A pause that lasted longer may have stopped the other too.
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
        """State that nothing is left of the runs that `take` told of. Raises Lost."""
        self._change(left=())

    def rename(self, run: str) -> None:
        """Let the run be called so: that is cleared up after if it is killed. Raises Lost."""
        self._change(run=run)

    def renew(self) -> None:
        """Renew the lease: nobody else has it, and nobody can take it for a term.

        Raises Lost if another build has taken it.
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
        """Renew the lease from now on, in a thread, until it is given back or lost."""
        self._beating = threading.Thread(target=self._beat, args=(failed,), daemon=True)
        self._beating.name = "lease"
        self._beating.start()

    def _beat(self, failed: Callable[[Exception], None]) -> None:
        while not self._stop.wait(self._mine.term / BEATS_A_TERM):
            try:
                self.renew()
            except Lost:
                return
            except Exception as error:  # the next beat may come through
                failed(error)

    def give_back(self) -> None:
        """Give the lease back, if it is still ours. Stops the heartbeat, whatever happens."""
        self._stop.set()
        if self._beating:
            self._beating.join(timeout=self._mine.term)
        _ended.add(self.owner)
        for _ in range(MOST_FAILURES):
            seen, record = self._store.read()
            if not self._is_mine(record) or self._store.swap(seen, None):
                return
