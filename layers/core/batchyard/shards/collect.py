"""Collect the answers of an ended provider batch: give each line its outcome and name the unfinished ones."""

import math
from collections.abc import Callable, Iterator
from operator import methodcaller

from batch_client import Batch as ProviderBatch
from batch_client import BatchClientError, NotFoundError
from batchyard.domain.outcomes import usage_of_batch
from batchyard.domain.policy import Reaction, after_failed_call
from batchyard.domain.shard import Shard, Step, change_attempt, discard
from batchyard.domain.stopping import why_stopped
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import pauses, retries, token_room
from batchyard.shards.answers import Answers
from batchyard.shards.attempt_end import AttemptOutcome, end_attempt, with_attempt_ended
from batchyard.shards.continue_as_new import continue_as_new, turns_used_up
from batchyard.shards.provider_failure import after_failed

# So often we look again for answers that the provider's own counts promise: long if there are none at all, as files may
# come late; not so long if only some are missing, as those seldom come.
PATIENCE_FOR_ALL, PATIENCE_FOR_SOME = 6, 3
# So often a file that does not come whole is read anew, before what came of it is all we get: for a day, and if nothing more
# of the shard is sent, for an hour.
PATIENCE_FOR_CONTENT, PATIENCE_AT_THE_END = 240, 60


def collect(services: Services, step: Step, seconds_left: Callable[[], float] = lambda: math.inf) -> Step:
    """Bring in what the provider answered; then the shard is done, or what is unfinished goes out again.

    All of it is the work of one invocation: raises TooSlow when `seconds_left` runs low before the answers are stored.
    """
    following = _collect(services, step, seconds_left)
    if following.next in {"done", "submit"}:
        token_room.release_ended(services, step.batch_id, step.shard)
    return following


def _collect(services: Services, step: Step, seconds_left: Callable[[], float]) -> Step:
    shard = services.batch_store.shard(step.batch_id, step.shard)
    if shard is None or shard.done or shard.attempt is None or shard.attempt.provider_batch_id is None:
        return step.then("submit")
    if turns_used_up(shard, step):
        return continue_as_new(services, shard, step)
    provider_batch_id = shard.attempt.provider_batch_id
    try:
        seen = services.ask(lambda provider: provider.retrieve_batch(provider_batch_id))
        if not seen.ended:
            return step.then("poll", services.settings.poll_floor_seconds)
    except NotFoundError:
        return step.then("poll", services.settings.poll_floor_seconds)  # which knows how long to wait for it
    except BatchClientError as error:
        return retries.after_read(services, shard, shard, step, error)
    try:
        return _take(services, shard, seen, step, seconds_left)
    except BatchClientError as error:
        return retries.after_read(services, shard, _unread(shard, error), step, error)


def _take(services: Services, shard: Shard, seen: ProviderBatch, step: Step, seconds_left: Callable[[], float]) -> Step:
    lines = ShardLines.read(services.bucket, shard.batch_id, shard.shard)
    sent = Unfinished.read(services.bucket, shard.unfinished_key, len(lines))
    asked = (lines.custom_ids[ordinal] for ordinal in sent.ordinals[: shard.attempts[-1].lines])
    with Answers(asked, seconds_left) as answers:
        for file_id in filter(None, (seen.output_file_id, seen.error_file_id)):
            gone = _read(services, answers, file_id, whole=_may_read(services, shard))
            if gone and _may_look(shard, answers):  # of a batch that was cancelled, too: what has run was paid for
                return retries.after_read(services, shard, _looked(shard), step, gone)
        missing = _missing(seen, answers)
        if missing and _may_look(shard, answers):
            return _look_again(services, shard, missing, step)
        if seen.status == "failed" and not answers.settled():
            return after_failed(services, shard, seen, step)
        own = services.batch_store.fence(shard)
        return _end(services, own, seen, step, AttemptOutcome(services, own, lines, sent, answers))


def _missing(seen: ProviderBatch, answers: Answers) -> int:
    """Count the answers that the provider counted and its files do not hold: they may not be all there yet.

    A batch that is completed without counts has an answer to each request, as far as we know.
    """
    if seen.request_counts is None or not seen.request_counts.total:
        return answers.missing() if seen.status == "completed" else 0
    return min(answers.missing(), max(0, seen.request_counts.completed - answers.succeeded()))


def _read(services: Services, answers: Answers, file_id: str, *, whole: bool) -> NotFoundError | None:
    """Read a file; one that is not there is told, and holds no answers if it stays away."""
    try:
        chunks = services.ask(methodcaller("download_file", file_id))
        answers.read(chunks if whole else _as_far_as_it_comes(chunks))
    except NotFoundError as error:
        return error
    return None


def _as_far_as_it_comes(chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except NotFoundError:
        raise
    except BatchClientError as error:
        if after_failed_call(error) is Reaction.PAUSE:
            raise
        logger.error("answers are taken as far as they come", error=type(error).__name__, status=error.status)


def _may_read(services: Services, shard: Shard) -> bool:
    stopped = why_stopped(services.batch_store.batch(shard.batch_id), shard)
    return shard.attempts[-1].unread < (PATIENCE_AT_THE_END if stopped else PATIENCE_FOR_CONTENT)


def _unread(shard: Shard, error: BatchClientError) -> Shard:
    """Count that its answers could not be read, unless that is the operator's to mend, however long it takes."""
    return change_attempt(shard, unread=shard.attempts[-1].unread + (after_failed_call(error) is not Reaction.PAUSE))


def _may_look(shard: Shard, answers: Answers) -> bool:
    return shard.attempts[-1].looks < (PATIENCE_FOR_SOME if answers.succeeded() else PATIENCE_FOR_ALL)


def _looked(shard: Shard) -> Shard:
    return change_attempt(shard, looks=shard.attempts[-1].looks + 1)


def _look_again(services: Services, shard: Shard, missing: int, step: Step) -> Step:
    looked = _looked(shard)
    answers = "1 answer is" if missing == 1 else f"{missing} answers are"
    pauses.pause(services, shard, looked, f"{answers} not in the provider's files yet.")
    return step.then("collect", retries.wait_after(services, looked.attempts[-1].looks))


def _end(services: Services, shard: Shard, seen: ProviderBatch, step: Step, found: AttemptOutcome) -> Step:
    left = discard(shard, seen.output_file_id, seen.error_file_id)
    usage = usage_of_batch(seen.usage) or found.answers.usage
    return end_attempt(services, shard, with_attempt_ended(services, left, found, seen.status, usage), step, found)
