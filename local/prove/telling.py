"""A proof in sentences, for a person."""

from collections.abc import Iterator

from local.prove.facts import NOT_SEEN
from local.prove.seen import OPTIONAL, Job, Proof

_WHAT = {"two": "a small job", "bad": "a job with a line that is bad on purpose", "hundred": "a larger job",
         "cancel": "a job that is cancelled"}  # fmt: skip


def sentences(proof: Proof) -> Iterator[str]:
    """Say what the run has seen."""
    yield f"{proof.provider} ({proof.url}), as {proof.profile}: {proof.model} at {proof.endpoint}."
    for job in proof.jobs:
        yield f"{_WHAT[job.name].capitalize()}, of {job.requests} requests: {'; '.join(_of_job(job))}."
    unseen = [fact.name for fact in proof.facts if fact.verdict == NOT_SEEN]
    for fact in proof.facts:
        if fact.verdict != NOT_SEEN:
            said = "as the row says" if fact.verdict == "holds" else f"DIFFERS: the row says {fact.row}"
            yield f"{fact.name}: {said}; seen: {fact.seen}."
    if unseen:
        yield f"This run cannot tell: {', '.join(unseen)}."
    yield f"It used {_used(proof)}."
    for left in proof.left:
        yield f"Cleaned up: {left}."
    yield _verdict(proof)


def _verdict(proof: Proof) -> str:
    if proof.failed:
        return f"The run ended early: {proof.failed}"
    if found := proof.differences:
        return f"All of it was done, and differs from the row in: {', '.join(fact.name for fact in found)}."
    return "All of it was done, and nothing differs from the row."


def _used(proof: Proof) -> str:
    used = [job.used for job in proof.jobs]
    told = f"{sum(each.input_tokens for each in used):,} tokens in and {sum(each.output_tokens for each in used):,} out"
    if proof.usd is None:
        return f"{told}; their price is not known"
    return f"{told}, about ${proof.usd:.6f} by the price list; the service's bill tells the truth"


def _of_job(job: Job) -> Iterator[str]:
    if job.input is not None:
        yield f"input laid down as {job.input}, {'listed' if job.input_listed else 'NOT in the list of inputs'}"
    if job.id is None:
        yield "not created"
        return
    yield f"created as {job.id}, {'listed' if job.listed else 'NOT in the list of jobs'}"
    yield f"found by its key: {', '.join(job.lookups[1:]) or 'not asked'}"
    yield f"states: {', '.join(job.statuses)}"
    if job.unknown_statuses:
        yield f"UNKNOWN words among them: {', '.join(job.unknown_statuses)}"
    if job.absent:
        yield f"never shown: {', '.join(name for name in OPTIONAL if name in job.absent)}"
    if job.problems:
        yield f"failed as a whole: {'; '.join(job.problems)}"
    if job.seconds is not None:
        yield from _of_results(job)
    if job.deleted is not None:
        yield "deleted" if job.deleted else "NOT deleted: a second deletion found it still there, or the first did not"


def _of_results(job: Job) -> Iterator[str]:
    yield (
        f"ended after {job.seconds:,} s with {job.succeeded} answers, {job.refused} refusals, {job.not_run} not run, "
        f"{job.without_answer} without any line"
    )
    if job.strays:
        yield f"{job.strays} lines that answer NO request of it"
    if job.in_input_order is not None:
        yield f"results in {'the order of the input' if job.in_input_order else 'another order than the input'}"
    yield f"usage in {job.usage_in_lines} lines"
    if job.usage_adds_up is not None:
        yield f"the job's own usage {'is' if job.usage_adds_up else 'is NOT'} their sum"
    if job.bad_line is not None:
        yield f"the bad line became {job.bad_line}"
