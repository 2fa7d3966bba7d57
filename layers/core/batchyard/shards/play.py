"""A step of a shard, from its records to the step that follows."""

from collections.abc import Callable

from batchyard.domain.step import MOST_TURNS, Next, Step
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import provider_files, token_room
from batchyard.shards.turn import Turn, announce_done, open_shard


def play(services: Services, step: Step, do: Callable[[Turn], Step]) -> Step:
    """Read batch and shard, and do the step, unless the shard is done or this execution has had its turns.

    After its turns an execution ends with `continue`, and a fresh one goes on from the record of the shard.
    """
    batch = services.batch_store.batch(step.batch_id)
    shard = services.batch_store.shard(step.batch_id, step.shard) or open_shard(services, batch, step.shard)
    turn = Turn(services, batch, shard, step)
    _clean_up(turn)  # if the last step was cut off before it could
    following = _play(turn, do)
    _clean_up(turn)
    announce_done(services, batch, turn.shard)
    _log(turn, following)
    return following


def _log(turn: Turn, following: Step) -> None:
    """Log one line a step, so that whoever follows a batch sees each of them."""
    shard = turn.shard
    logger.info(
        "step", batch_id=shard.batch_id, shard=shard.shard, next=following.next, wait_seconds=following.wait_seconds,
        attempt=shard.attempts[-1].number if shard.attempts else 0, provider_batch_id=turn.provider_batch_id,
        completed=shard.completed, failed=shard.failed,
    )  # fmt: skip


def _play(turn: Turn, do: Callable[[Turn], Step]) -> Step:
    if turn.shard.done:
        return turn.then(Next.DONE)
    if turn.step.turns >= MOST_TURNS:
        logger.info("continuing as new", batch_id=turn.shard.batch_id, shard=turn.shard.shard)
        return turn.then(Next.CONTINUE)
    return do(turn)


def _clean_up(turn: Turn) -> None:
    """Release the tokens of an attempt that has ended, and delete the provider files that nobody needs."""
    token_room.release_ended(turn.services, turn.shard)
    if turn.provider_answered:
        turn.shard = provider_files.delete(turn.services, turn.shard)
