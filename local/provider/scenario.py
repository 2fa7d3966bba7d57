"""Decide which ordered failure befalls which call, batch and line: counting and matching only, no I/O."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase

from local.provider.faults import (
    BatchFault,
    BatchRule,
    CallFault,
    CallRule,
    LineFault,
    LineRule,
    Range,
    Scenario,
)

NO_CALL_FAULT = CallFault()
NO_LINE_FAULT = LineFault()


def in_range(number: int, wanted: Range) -> bool:
    """Say whether `number` is in `3`, `"2-4"`, `"3-"` or `"1,4-5"`."""
    return any(_in_stretch(number, stretch) for stretch in str(wanted).split(","))


def _in_stretch(number: int, stretch: str) -> bool:
    first, dash, last = stretch.strip().partition("-")
    if not dash:
        return number == int(first)
    return int(first or 1) <= number <= (int(last) if last else number)


class Director:
    """Plays one scenario; its counters start at zero and are safe to share between threads."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._seen: Counter[tuple[str, int]] = Counter()
        self._runs: Counter[tuple[int, str]] = Counter()
        self._lock = threading.Lock()

    def for_call(self, operation: str, batch: int | None) -> CallFault:
        """Return the fault of this call of `operation` about the batch with that ordinal (None: about no batch).

        Every rule counts the calls it matches; the first whose count is in its `nth` acts.
        """
        with self._lock:
            counted = [
                (rule, self._count("call", place))
                for place, rule in enumerate(self.scenario.calls)
                if _concerns(rule, operation, batch)
            ]
        for rule, nth in counted:
            if in_range(nth, rule.nth) and self._chance("call", operation, str(nth)) < rule.share:
                return rule.do
        return NO_CALL_FAULT

    def for_batch(self, ordinal: int, endpoint: str, model: str | None, metadata: dict[str, str] | None) -> BatchFault:
        """Return the fault of a batch; the first rule that fits acts."""
        for place, rule in enumerate(self.scenario.batches):
            if not _fits(rule, ordinal, endpoint, model, metadata or {}):
                continue
            with self._lock:
                nth = self._count("batch", place)
            if in_range(nth, rule.nth):
                return rule.do
        return BatchFault()

    def for_line(self, fault: BatchFault, custom_id: str, number: int) -> LineFault:
        """Return the fault of line `number` (1-based); the batch's own rules come before the scenario's."""
        for rule in [*fault.lines, *self.scenario.lines]:
            if (
                in_range(number, rule.lines)
                and _named(custom_id, rule.custom_id)
                and self._chance("line", custom_id) < rule.share
                and self._within_times(rule, custom_id)
            ):
                return rule.do
        return NO_LINE_FAULT

    @property
    def orders_lines(self) -> bool:
        """Say whether any rule can touch a line; lets the runner skip asking 50,000 times."""
        return bool(self.scenario.lines) or any(rule.do.lines for rule in self.scenario.batches)

    def _count(self, sort: str, place: int) -> int:
        self._seen[sort, place] += 1
        return self._seen[sort, place]

    def _within_times(self, rule: LineRule, custom_id: str) -> bool:
        if rule.times is None:
            return True
        with self._lock:
            self._runs[id(rule), custom_id] += 1
            return self._runs[id(rule), custom_id] <= rule.times

    def _chance(self, *words: str) -> float:
        """Return a number in 0..1 that depends on the seed and `words` alone, so a run can be repeated."""
        digest = hashlib.sha256("\0".join([str(self.scenario.seed), *words]).encode()).digest()
        return int.from_bytes(digest[:7], "big") / 2**56


def _concerns(rule: CallRule, operation: str, batch: int | None) -> bool:
    if rule.operation not in ("*", operation):
        return False
    return rule.batch is None or (batch is not None and in_range(batch, rule.batch))


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
