"""Submit what is unfinished of a shard as a new provider batch, at most once."""

from typing import Final

from batch_client import Batch as ProviderBatch
from batch_client import BatchClientError
from batchyard import keys, setback, statuses
from batchyard.batch import Batch, LineError
from batchyard.shard import ATTEMPT_KEY, Attempt, Shard, Step, change, change_attempt, finish
from batchyard.splitting import ShardLines
from batchyard.unfinished import Unfinished
from batchyard.upload import Upload
from batchyard.yard import Yard

CLOCK_SKEW: Final = 300  # the provider's clock and ours may differ by so many seconds
LISTED_WITHIN: Final = 10  # a batch just created may not be listed at once


def submit(yard: Yard, step: Step) -> Step:
    """Bring the shard's current attempt to a provider batch, starting an attempt if none is under way.

    What is known of the attempt is recorded before and after each effect: a second run goes on where one stopped.
    """
    batch = yard.records.batch(step.batch_id)
    shard = yard.records.shard(step.batch_id, step.shard) or _new(yard, step)
    if shard.done:
        return step.then("done")
    try:
        if batch.status != statuses.IN_PROGRESS and not _perhaps_created(shard):
            return _stop(yard, shard, step)
        return _advance(yard, batch, shard if shard.attempt else _begin(yard, shard), step)
    except BatchClientError as error:
        return setback.after_create(yard, step, error)


def _new(yard: Yard, step: Step) -> Shard:
    lines = ShardLines.unpack(yard.objects.get(keys.shard_lines(step.batch_id, step.shard)))
    return yard.records.save_shard(None, Shard(
        batch_id=step.batch_id, shard=step.shard, endpoint=lines.endpoint, model=lines.model, lines=len(lines),
        first=lines.positions[0], last=lines.positions[-1], unfinished=len(lines),
    ))  # fmt: skip


def _perhaps_created(shard: Shard) -> bool:
    return shard.attempt is not None and shard.attempt.creating_at is not None


def _stop(yard: Yard, shard: Shard, step: Step) -> Step:
    reason = LineError("batch_cancelled", "The batch was cancelled before this request was run.")
    yard.records.save_shard(shard, finish(shard, reason))
    return step.then("done")


def _begin(yard: Yard, shard: Shard) -> Shard:
    attempt = Attempt(
        number=len(shard.attempts) + 1, started_at=yard.now(), lines=shard.unfinished, lines_key=shard.unfinished_key
    )
    return yard.records.save_shard(shard, change(shard, attempts=[*shard.attempts, attempt]))


def _advance(yard: Yard, batch: Batch, shard: Shard, step: Step) -> Step:
    attempt = shard.attempts[-1]
    if attempt.provider_batch_id is not None:
        return step.then("poll", yard.settings.poll_floor_seconds)
    if attempt.creating_at is not None:
        since = attempt.creating_at - CLOCK_SKEW
        try:
            made = yard.ask(lambda provider: provider.find_batch(ATTEMPT_KEY, shard.attempt_key, since))
        except BatchClientError as error:  # this refusal says nothing about the batch we look for: it may exist
            return setback.after_read(yard, step, error)
        if made is not None:
            return _adopt(yard, shard, made, step)
        if yard.now() - attempt.creating_at < LISTED_WITHIN:
            return step.then("submit", LISTED_WITHIN)
        if batch.status != statuses.IN_PROGRESS:
            return _stop(yard, shard, step)
    shard = _upload(yard, batch, shard)
    shard = yard.records.save_shard(shard, change_attempt(shard, creating_at=yard.now()))
    return _adopt(yard, shard, _create(yard, batch, shard), step)


def _upload(yard: Yard, batch: Batch, shard: Shard) -> Shard:
    if shard.file_id is None:
        lines = ShardLines.unpack(yard.objects.get(keys.shard_lines(shard.batch_id, shard.shard)))
        ordinals = Unfinished.read(yard.objects, shard.unfinished_key, len(lines)).ordinals
        upload = Upload(yard.objects, batch.input, list(lines.ranges(ordinals)))
        name = f"{shard.batch_id}-{shard.shard:05}-{len(shard.attempts):04}.jsonl"
        file = yard.ask(lambda provider: provider.create_file(upload, name))
        shard = yard.records.save_shard(shard, change(shard, file_id=file.id))
    return shard


def _create(yard: Yard, batch: Batch, shard: Shard) -> ProviderBatch:
    return yard.ask(lambda provider: provider.create_batch(
        input_file_id=shard.file_id or "", endpoint=shard.endpoint, completion_window=batch.completion_window,
        metadata={ATTEMPT_KEY: shard.attempt_key, "batchyard_batch": shard.batch_id},
    ))  # fmt: skip


def _adopt(yard: Yard, shard: Shard, made: ProviderBatch, step: Step) -> Step:
    known = change_attempt(shard, provider_batch_id=made.id, file_id=made.input_file_id or shard.file_id)
    setback.save_after_answer(yard, shard, known)
    yard.records.link(made.id, shard)
    return step.then("poll", yard.settings.poll_floor_seconds)
