"""Look at a shard's provider batch and say when to look again."""

import math
from operator import methodcaller
from typing import Final

from batch_client import Batch as ProviderBatch
from batch_client import BatchClientError, NotFoundError
from batchyard.domain.batch import Batch, BatchError, window_seconds
from batchyard.domain.outcomes import usage_of_batch
from batchyard.domain.pacing import Look, poll_wait, remembered
from batchyard.domain.shard import Attempt, Shard, Step, change, change_attempt
from batchyard.domain.stopping import deadline
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import pauses, retries, stalls, token_room
from batchyard.shards.continue_as_new import continue_as_new, turns_used_up

TAKEN_IN: Final = frozenset({"in_progress", "finalizing", "completed"})  # its tokens had room
ENDING: Final = frozenset({"cancelling", "finalizing"})


def poll(services: Services, step: Step) -> Step:
    """Read the provider batch once: go on to collect when it has ended, else wait as long as its progress suggests."""
    following = _poll(services, step)
    if following.next == "done":
        token_room.release_ended(services, step.batch_id, step.shard)
    return following


def _poll(services: Services, step: Step) -> Step:
    batch = services.batch_store.batch(step.batch_id)
    shard = services.batch_store.shard(step.batch_id, step.shard)
    if shard is None or shard.done or shard.attempt is None or shard.attempt.provider_batch_id is None:
        return step.then("submit")
    if batch.told_paused and not batch.paused:
        pauses.tell(services, batch)
    if turns_used_up(shard, step):
        return continue_as_new(services, shard, step)
    return _look(services, batch, shard, shard.attempt.provider_batch_id, step)


def _look(services: Services, batch: Batch, shard: Shard, provider_batch_id: str, step: Step) -> Step:
    try:
        seen = services.ask(methodcaller("retrieve_batch", provider_batch_id))
    except NotFoundError as error:
        return _missing(services, batch, shard, step, error)
    except BatchClientError as error:
        return retries.after_read(services, shard, shard, step, error)
    if not seen.ended and seen.status not in ENDING and _is_to_stop(services, batch, shard):
        try:
            seen = services.ask(methodcaller("cancel_batch", provider_batch_id))
        except BatchClientError as error:  # the next look tries again; what it finishes meanwhile is paid, and kept
            logger.warning("not cancelled", batch_id=batch.batch_id, shard=shard.shard, status=error.status)
    if seen.status in TAKEN_IN and shard.attempts[-1].provider_status not in TAKEN_IN:
        token_room.record_accepted(services, shard)
    _note(services, shard, shard.attempts[-1], seen)
    return step.then("collect") if seen.ended else _look_again(services, batch, shard, seen, step)


def _is_to_stop(services: Services, batch: Batch, shard: Shard) -> bool:
    late = services.now() >= _deadline(services, batch, shard.attempts[-1])
    if late or batch.stopping or shard.draining:
        logger.info("stopping a provider batch", batch_id=batch.batch_id, shard=shard.shard, late=late)
        return True
    return False


def _note(services: Services, shard: Shard, attempt: Attempt, seen: ProviderBatch) -> None:
    """Record what changed; an unchanged provider batch costs no write."""
    before = sum(past.succeeded for past in shard.attempts)
    running = min(seen.request_counts.completed, attempt.lines) if seen.request_counts else 0
    completed = max(shard.completed, before + running)
    told = usage_of_batch(seen.usage)
    usage = told.most(attempt.usage) if told else attempt.usage
    known = (shard.completed, attempt.provider_status, attempt.usage, shard.failures_in_a_row, shard.paused)
    if (completed, seen.status, usage, 0, None) != known:
        looked = change_attempt(shard, provider_status=seen.status, usage=usage)
        pauses.save_answered(services, shard, change(looked, completed=completed))


def _look_again(services: Services, batch: Batch, shard: Shard, seen: ProviderBatch, step: Step) -> Step:
    attempt = shard.attempts[-1]
    counts, since, total = seen.request_counts, attempt.creating_at or attempt.started_at, 0
    finished, deadline_at = counts.completed + counts.failed if counts else 0, _deadline(services, batch, attempt)
    if batch.stopping or shard.draining or services.now() >= deadline_at:
        # Ten minutes as a rule, but a provider may take days.
        stopped_at = batch.cancelling_at or batch.draining_since or shard.rest_until or services.now()
        since, finished = int(min(stopped_at, deadline_at, services.now())), 0
    elif counts:
        total = counts.total
    now, before = Look(services.now() - since, finished), Look(step.seen_age, step.seen_finished)
    floor, ceiling = services.settings.poll_floor_seconds, services.settings.poll_ceiling_seconds
    wait = poll_wait(now, before, total, floor, ceiling, services.chance())
    if services.now() < deadline_at < services.now() + wait:
        wait = math.ceil(deadline_at - services.now())
    return step.then("poll", wait, remembered(now, before))


def _deadline(services: Services, batch: Batch, attempt: Attempt) -> float:
    started = attempt.creating_at or attempt.started_at
    return deadline(services.settings.deadline_action, started, window_seconds(batch.completion_window))


def _missing(services: Services, batch: Batch, shard: Shard, step: Step, error: NotFoundError) -> Step:
    """Take a provider batch that is not found: it may be there again, and is given up only when its window is over."""
    started = shard.attempts[-1].creating_at or shard.attempts[-1].started_at
    if services.now() < started + window_seconds(batch.completion_window):
        return retries.after_read(services, shard, shard, step, error)
    logger.error("provider batch lost", batch_id=step.batch_id, shard=step.shard, attempt=shard.attempts[-1].number)
    ended = change_attempt(shard, provider_status="lost", ended_at=services.now())
    lost = stalls.with_stall(change(ended, file_id=None))
    if lost.stalls >= services.settings.max_attempts:
        reason = BatchError("no_answer", "The provider lost every batch of this request.")
        shard = services.batch_store.fence(shard)
        lost = stalls.fail_lines(services, shard, lost, reason)
    pauses.save_answered(services, shard, lost)
    if lost.done:
        return step.then("done")
    token_room.release_ended(services, step.batch_id, step.shard)
    return step.then("submit")
