"""What a run has seen: one record a job, which becomes JSON as it is."""

from decimal import Decimal

import msgspec

from batch_client import Look, State
from batchyard.costs.usage import Usage
from local.prove.lines import Batch

#: The members of a look that a service may leave out.
OPTIONAL = ("counts", "usage", "input", "created_at", "expires_at", "key", "labels")


class Job(msgspec.Struct, kw_only=True):
    """One job of the run, as far as it came."""

    name: str
    requests: int
    id: str | None = None
    input: str | None = None
    #: Whether the list of inputs shows it under its name; None where the service has no inputs.
    input_listed: bool | None = None
    #: What a look-up by the key said before the create, just after it, and at the end: `found`, `not found` or `cannot tell`.
    lookups: list[str] = []
    #: Whether the list of jobs shows it.
    listed: bool | None = None
    #: Whether the list behind the job does not show it again.
    list_goes_on: bool | None = None
    #: The service's own words for its states, in order, and those that the dialect does not know.
    statuses: list[str] = []
    unknown_statuses: list[str] = []
    #: Members that no look has shown.
    absent: list[str] = msgspec.field(default_factory=lambda: list(OPTIONAL))
    #: Whether counts moved while it ran: `live`, `end` or `none`; None if it ran too short to tell.
    progress: str | None = None
    #: Seconds from its create to its end, and to its expiry as the service says it.
    seconds: float | None = None
    window: int | None = None
    #: Why it failed as a whole, as code and sentence.
    problems: list[str] = []
    succeeded: int = 0
    refused: int = 0
    #: Requests that were not run, by the words of the results, and those that no result has.
    not_run: int = 0
    without_answer: int = 0
    #: Answers to no request, or to one that has an answer already.
    strays: int = 0
    in_input_order: bool | None = None
    usage_in_lines: int = 0
    #: How often the job's own usage is the sum of its lines; None where it has none.
    usage_adds_up: bool | None = None
    used: Usage = Usage()
    #: The results of the line that was bad on purpose.
    bad_line: str | None = None
    #: How many requests had been run when the cancel was asked for; None where nobody can tell.
    run_before_cancel: int | None = None
    ended_before_cancel: bool | None = None
    #: Whether input and results are gone: the second deletion finds nothing.
    deleted: bool | None = None


class Fact(msgspec.Struct, frozen=True):
    """One fact of the row, and what the run has seen of it."""

    name: str
    row: str
    seen: str
    #: `holds`, `differs`, or `not seen` where this run cannot tell.
    verdict: str


class Proof(msgspec.Struct, kw_only=True):
    """All that a run has seen."""

    provider: str
    profile: str
    url: str
    model: str
    endpoint: str
    most_usd: Decimal | None
    #: What its tokens cost by the price list; the bill of the service is the truth.
    usd: Decimal | None = None
    jobs: list[Job] = []
    facts: list[Fact] = []
    #: What ended the run too early; None if all of it was done.
    failed: str | None = None
    #: What was cancelled because of that, and what may still be there.
    left: list[str] = []

    @property
    def differences(self) -> list[Fact]:
        """Return the facts that differ from the row."""
        return [fact for fact in self.facts if fact.verdict == "differs"]


def begun(batch: Batch) -> Job:
    """Return the record of a job that is about to be made."""
    return Job(name=batch.name, requests=len(batch.lines))


def note(job: Job, seen: Look) -> None:
    """Note what a look has shown."""
    if seen.status not in job.statuses[-1:]:
        job.statuses.append(seen.status)
    if seen.state is State.UNKNOWN and seen.status not in job.unknown_statuses:
        job.unknown_statuses.append(seen.status)
    job.absent = [name for name in job.absent if not getattr(seen, name)]
    if seen.expires_at and seen.created_at:
        job.window = seen.expires_at - seen.created_at
    if not seen.ended and seen.state in {State.RUNNING, State.ENDING}:
        job.progress = _progress(job.progress, seen)


def _progress(before: str | None, seen: Look) -> str:
    counts = seen.counts
    if counts is None:
        return before or "none"
    moved = counts.completed + counts.failed > 0
    return "live" if moved or before == "live" else "end"
