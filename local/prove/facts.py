"""What a run has seen of each fact of a service's row."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from batch_client import Facts
from batchyard.domain.batch import window_seconds
from local.prove.seen import Fact, Job
from local.prove.trial import CANNOT_TELL, FOUND

HOLDS, DIFFERS, NOT_SEEN = "holds", "differs", "not seen"
_NEAR: Final = 0.1  # of a window
_SAID: Final = frozenset(
    {"source", "sellers", "sellers_alike", "flex_sellers", "reserved_metadata", "any_url", "endpoints"}
)

Seen = tuple[str, str]  # what was seen, and the verdict


def compare(facts: Facts, jobs: list[Job], window: str) -> list[Fact]:
    """Compare the row with the run, fact by fact; what no such run can show is `not seen`."""
    judged: Mapping[str, Callable[[], Seen]] = {
        "windows": lambda: _windows(jobs, window),
        "least_lines": lambda: _least(facts, jobs),
        "lookup": lambda: _lookup(facts, jobs),
        "paging": lambda: _paging(facts, jobs),
        "progress": lambda: _progress(facts, jobs),
        "after_cancel": lambda: _after_cancel(facts, jobs),
    }
    return list(_facts(facts, judged))


def _facts(facts: Facts, judged: Mapping[str, Callable[[], Seen]]) -> Iterator[Fact]:
    for name in Facts.__struct_fields__:
        if name not in _SAID:
            seen, verdict = judged[name]() if name in judged else ("", NOT_SEEN)
            yield Fact(name, _row(getattr(facts, name)), seen, verdict)


def _row(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _windows(jobs: list[Job], window: str) -> Seen:
    told = {job.window for job in jobs if job.window}
    if not told:
        return f"{window} was taken; the service does not say when a batch expires", NOT_SEEN
    wanted, shown = window_seconds(window), max(told)
    near = abs(shown - wanted) <= wanted * _NEAR
    return f"{window} was asked for, and a batch expires {shown:,} s after its create", HOLDS if near else DIFFERS


def _least(facts: Facts, jobs: list[Job]) -> Seen:
    taken = [job.requests for job in jobs if job.succeeded]
    if not taken:
        return "no job was answered", NOT_SEEN
    return f"a batch of {min(taken)} was answered", HOLDS if min(taken) >= facts.least_lines else DIFFERS


def _lookup(facts: Facts, jobs: list[Job]) -> Seen:
    made = [job for job in jobs if len(job.lookups) > 1]
    if not made or facts.lookup == "token":
        return "only a second create with the same key would show it", NOT_SEEN
    at_once, at_end = [job.lookups[1] for job in made], [job.lookups[-1] for job in made if job.lookups[2:]]
    told = f"just after the create {_listed(at_once)}, at the end {_listed(at_end)}"
    shows_key = any("key" not in job.absent for job in made)
    if facts.lookup in {"metadata", "name"}:
        return told, HOLDS if set(at_once + at_end) == {FOUND} else DIFFERS
    if shows_key:
        return f"the service shows our key; {told}", DIFFERS
    if facts.lookup == "none":
        return told, HOLDS
    return told, HOLDS if FOUND in at_end and set(at_end) <= {FOUND, CANNOT_TELL} else DIFFERS


def _paging(facts: Facts, jobs: list[Job]) -> Seen:
    shown = [job for job in jobs if job.listed is not None]
    if not shown or facts.paging == "none":
        return "only a list of more than one page would show it", NOT_SEEN
    if not all(job.listed for job in shown):
        return "the list of batches does not show each job", DIFFERS
    goes_on = all(job.list_goes_on for job in shown)
    return "the list goes on behind a job" if goes_on else "the list begins again", HOLDS if goes_on else DIFFERS


def _progress(facts: Facts, jobs: list[Job]) -> Seen:
    seen = {job.progress for job in jobs if job.progress}
    if not seen:
        return "no job ran long enough to be looked at", NOT_SEEN
    if "live" in seen:
        return "counts moved while a job ran", HOLDS if facts.progress == "live" else DIFFERS
    shown = "end" if "end" in seen else "none"
    if shown == facts.progress:
        return "counts stood still while jobs ran" if shown == "end" else "no counts were shown", HOLDS
    if facts.progress == "live" and shown == "end":
        return "counts were shown, and no job was seen with some of it done", NOT_SEEN
    return "counts were shown" if shown == "end" else "no counts were shown while jobs ran", DIFFERS


def _after_cancel(facts: Facts, jobs: list[Job]) -> Seen:
    job = next((each for each in jobs if each.name == "cancel" and each.statuses), None)
    if job is None or job.ended_before_cancel or job.succeeded == job.requests:
        return "no job was cancelled before its end", NOT_SEEN
    if job.succeeded + job.refused:
        kept = f"{job.succeeded + job.refused} of {job.requests} answers were left"
        return kept, HOLDS if facts.after_cancel == "answers" else DIFFERS
    if not job.run_before_cancel:
        return "nothing was left, and nothing is known to have run before the cancel", NOT_SEEN
    gone = f"nothing was left, though {job.run_before_cancel} had run"
    return gone, HOLDS if facts.after_cancel == "nothing" else DIFFERS


def _listed(words: list[str]) -> str:
    return ", ".join(dict.fromkeys(words)) or "not asked"
