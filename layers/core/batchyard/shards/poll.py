"""Look at a shard's provider batch and say when to look again."""

import math
from operator import methodcaller
from typing import Final

from batch_client import BatchClientError, Look, NotFoundError, State
from batchyard.domain.batch import window_seconds
from batchyard.domain.job import has_taken_in, may_be_stopped
from batchyard.domain.outcomes import usage_of_batch
from batchyard.domain.pacing import Seen, most_wait, poll_wait, remembered
from batchyard.domain.shard import with_attempt_members, with_members
from batchyard.domain.step import Next, Step
from batchyard.domain.stopping import deadline
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import attempt_end, failed_calls, token_room, unknown_status
from batchyard.shards.pauses import LOOK
from batchyard.shards.play import play
from batchyard.shards.turn import Turn, announce_pause

LIVE: Final = "live"  # counts that tell how far a batch is while it runs
LOST_AFTER: Final = 5  # looks in a row that do not find a provider batch whose window is over


def poll(services: Services, step: Step) -> Step:
    """Read the provider batch once: go on to collect when it has ended, else wait as long as its progress suggests."""
    return play(services, step, _poll)


def _poll(turn: Turn) -> Step:
    if turn.provider_batch_id is None:
        return turn.then(Next.SUBMIT)
    if turn.batch.told_paused and not turn.batch.paused:
        announce_pause(turn.services, turn.batch)
    try:
        seen = turn.account.ask(methodcaller("look", turn.provider_batch_id))
    except NotFoundError as error:
        return _after_missing(turn, error)
    except BatchClientError as error:
        return failed_calls.retry_read(turn, f"{LOOK} {turn.provider_batch_id}", error)
    overdue = unknown_status.is_overdue(turn, seen)
    if may_be_stopped(seen) and (overdue or _is_to_stop(turn)):
        seen = _stop(turn, seen)
    if has_taken_in(seen) and not turn.attempt.taken_in:
        token_room.record_accepted(turn.services, turn.shard)
    elif not seen.ended:
        token_room.record_not_accepted(turn.services, turn.shard)
    _note(turn, seen)
    ended = seen.ended or unknown_status.taken_as(turn, seen) is not None
    return turn.then(Next.COLLECT) if ended else _look_again(turn, seen)


def _is_to_stop(turn: Turn) -> bool:
    late = turn.services.now() >= _deadline(turn)
    if late or turn.batch.stopping or turn.shard.draining:
        logger.info("stopping a provider batch", batch_id=turn.shard.batch_id, shard=turn.shard.shard, late=late)
        return True
    return False


def _stop(turn: Turn, seen: Look) -> Look:
    try:
        answer = turn.account.ask(lambda provider: provider.stop(seen.id))
    except BatchClientError as error:  # the next look tries again; what it finishes meanwhile is paid, and kept
        logger.warning("not cancelled", batch_id=turn.shard.batch_id, shard=turn.shard.shard, status=error.status)
        return seen
    # The answer is a promise: where nobody knows the status, only the next looks show whether it is kept.
    return seen if seen.state is State.UNKNOWN else answer


def _note(turn: Turn, seen: Look) -> None:
    """Record what changed; an unchanged provider batch costs no write."""
    shard, attempt = turn.shard, turn.attempt
    before = sum(past.succeeded for past in shard.attempts)
    running = min(seen.counts.completed, attempt.lines) if seen.counts else 0
    completed = max(shard.completed, before + running)
    told = usage_of_batch(seen.usage)
    usage = told.most(attempt.usage) if told else attempt.usage
    cost = turn.cost(usage) if usage else attempt.cost
    looked = with_attempt_members(
        unknown_status.with_look(turn, seen), provider_status=seen.status, usage=usage, cost=cost,
        taken_in=attempt.taken_in or has_taken_in(seen),
        over_since=attempt.over_since or (turn.services.now() if seen.ended else None),
    )  # fmt: skip
    why = unknown_status.told(looked.attempts[-1])
    after = with_members(looked, completed=completed)
    if after != shard or (shard.failures_in_a_row, shard.paused, shard.waits) != (0, why, None):
        turn.save_answered(after, why)


def _look_again(turn: Turn, seen: Look) -> Step:
    now, deadline_at = turn.services.now(), _deadline(turn)
    shown, total = _shown(turn, seen, deadline_at)
    before = Seen(turn.step.seen_age, turn.step.seen_finished)
    settings = turn.services.settings
    floor = settings.poll_floor_seconds
    ceiling = most_wait(settings.poll_ceiling_seconds, turn.account.facts.results_kept)
    wait = poll_wait(shown, before, total, floor, ceiling, turn.services.chance())
    for left in (deadline_at - now, unknown_status.seconds_left(turn)):
        if 0 < left < wait:
            wait = math.ceil(left)
    return turn.then(Next.POLL, wait, remembered(shown, before))


def _shown(turn: Turn, seen: Look, deadline_at: float) -> tuple[Seen, int]:
    """Return what this look showed, and how many lines there are (0: not known)."""
    now = turn.services.now()
    counts = seen.counts if turn.account.facts.progress == LIVE else None
    if turn.batch.stopping or turn.shard.draining or now >= deadline_at:
        # Cancelling takes ten minutes as a rule, but a provider may take days: the age begins anew.
        stopped_at = turn.batch.cancelling_at or turn.batch.draining_since or turn.shard.rest_until or now
        return Seen(now - int(min(stopped_at, deadline_at, now))), 0
    finished = counts.completed + counts.failed if counts else 0
    return Seen(now - turn.attempt.began_at, finished), counts.total if counts else 0


def _deadline(turn: Turn) -> float:
    window = window_seconds(turn.window)
    return deadline(turn.services.settings.deadline_action, turn.attempt.began_at, window, turn.account.facts)


def _after_missing(turn: Turn, error: NotFoundError) -> Step:
    """Take a provider batch that is not found: it may be there again.

    The batch counts as lost only when its window is over, and after some looks in a row that did not find it.
    """
    is_over = turn.services.now() >= turn.attempt.began_at + window_seconds(turn.window)
    if not is_over or turn.shard.failures_in_a_row + 1 < LOST_AFTER:
        return failed_calls.retry_read(turn, f"{LOOK} {turn.provider_batch_id}", error)
    return attempt_end.end_lost(turn)
