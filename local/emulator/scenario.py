"""Decide which ordered failure happens to which call, batch and line, without I/O."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from local.emulator.faults import (
    BatchFault,
    BatchRule,
    CallFault,
    CallRule,
    LineFault,
    LineRule,
    Scenario,
)
from local.emulator.ranges import in_range

NO_CALL_FAULT = CallFault()
NO_LINE_FAULT = LineFault()


@dataclass(frozen=True)
class CallSubject:
    """What a call is about."""

    #: The ordinal of its batch; None if it is about no batch.
    batch: int | None = None
    #: The name of its file; None if it is about no file.
    filename: str | None = None


class Director:
    """Play one scenario; the counters start at zero, and threads may share them.

    `made` is the number of batches that are older than the scenario. Ordinals in rules count from the next batch, so no
    rule is about an older one.
    """

    def __init__(self, scenario: Scenario, made: int = 0) -> None:
        self.scenario = scenario
        self._made = made
        self._seen: Counter[tuple[str, int, int | None]] = Counter()
        self._runs: Counter[tuple[int, str]] = Counter()
        self._lock = threading.Lock()

    def for_call(self, operation: str, subject: CallSubject) -> CallFault:
        """Return the fault of this call.

        Every rule counts the calls that match. The first rule acts whose `nth` has its count.
        """
        with self._lock:
            counted = [
                (place, rule, self._count("call", place, subject.batch if rule.each_batch else None))
                for place, rule in enumerate(self.scenario.calls)
                if self._concerns(rule, operation, subject)
            ]
        for place, rule, nth in counted:
            if in_range(nth, rule.nth) and self._chance("call", place, f"{operation}/{nth}") < rule.share:
                return rule.do
        return NO_CALL_FAULT

    def has_room_by_flex(self) -> bool:
        """Tell whether the next request that asks for flex processing finds room."""
        flex = self.scenario.flex
        with self._lock:
            nth = self._count("flex", 0, None)
        full = flex.no_room is not None and in_range(nth, flex.no_room)
        return not full and self._chance("flex", 0, str(nth)) >= flex.share

    def for_batch(self, ordinal: int, endpoint: str, model: str | None, metadata: dict[str, str] | None) -> BatchFault:
        """Return the fault of a batch, from the first rule that fits."""
        for place, rule in enumerate(self.scenario.batches):
            if not _fits(rule, ordinal - self._made, endpoint, model, metadata or {}):
                continue
            with self._lock:
                nth = self._count("batch", place, None)
            if in_range(nth, rule.nth):
                return rule.do
        return BatchFault()

    def for_line(self, fault: BatchFault, custom_id: str, number: int) -> LineFault:
        """Return the fault of the line `number`, from 1; rules of the batch come before rules of the scenario."""
        for place, rule in enumerate([*fault.lines, *self.scenario.lines]):
            if (
                in_range(number, rule.lines)
                and _named(custom_id, rule.custom_id)
                and self._chance("line", place, custom_id) < rule.share
                and self._within_times(rule, custom_id)
            ):
                return rule.do
        return NO_LINE_FAULT

    @property
    def orders_lines(self) -> bool:
        """Tell whether any rule is about lines; if none is, the runner need not ask for each line."""
        return bool(self.scenario.lines) or any(rule.do.lines for rule in self.scenario.batches)

    def _concerns(self, rule: CallRule, operation: str, subject: CallSubject) -> bool:
        if rule.operation not in ("*", operation):
            return False
        if rule.filename is not None and not fnmatchcase(subject.filename or "", rule.filename):
            return False
        return rule.batch is None or (subject.batch is not None and in_range(subject.batch - self._made, rule.batch))

    def _count(self, sort: str, place: int, apart: int | None) -> int:
        self._seen[sort, place, apart] += 1
        return self._seen[sort, place, apart]

    def _within_times(self, rule: LineRule, custom_id: str) -> bool:
        if rule.times is None:
            return True
        with self._lock:
            self._runs[id(rule), custom_id] += 1
            return self._runs[id(rule), custom_id] <= rule.times

    def _chance(self, sort: str, place: int, what: str) -> float:
        """Return a number from 0 to 1 that depends on the seed, the rule and `what` alone, so that a run can be repeated."""
        digest = hashlib.sha256(f"{self.scenario.seed}/{sort}/{place}/{what}".encode()).digest()
        return int.from_bytes(digest[:7], "big") / 2**56


def _fits(rule: BatchRule, ordinal: int, endpoint: str, model: str | None, metadata: dict[str, str]) -> bool:
    return (
        in_range(ordinal, rule.batch)
        and rule.model in (None, model)
        and rule.endpoint in (None, endpoint)
        and rule.metadata.items() <= metadata.items()
    )


def _named(custom_id: str, wanted: str | Iterable[str]) -> bool:
    patterns = [wanted] if isinstance(wanted, str) else wanted
    return any(fnmatchcase(custom_id, pattern) for pattern in patterns)
