"""Write messages.jsonl, the results in Anthropic's shape in input order, for a batch that Anthropic's route made."""

from collections.abc import Iterator
from typing import Final

import msgspec

from batchyard.adapters.object_writer import Begun
from batchyard.domain import object_keys
from batchyard.domain.batch import Batch
from batchyard.domain.errors import NotFound, UploadGone
from batchyard.domain.step import OutOfTime, TimeBudget
from batchyard.lines.blocks import blocks
from batchyard.lines.merging import MergedLines
from batchyard.message_batches.result_lines import result_line
from batchyard.observability import logger
from batchyard.results.join import Results
from batchyard.services import Services

LONGEST: Final = 512 * 1024 * 1024  # bytes of an answer, as Collect takes them


class MessagesProgress(msgspec.Struct, kw_only=True):
    """The checkpoint of messages.jsonl."""

    #: The version of each shard when the file was begun.
    versions: list[int]
    #: The position of the last line that is written.
    after: int = -1
    #: What is written.
    begun: Begun | None = None
    #: The bytes of the whole file; None until it is complete in the bucket.
    size: int | None = None


def write_messages(
    services: Services, batch: Batch, results: Results, versions: list[int], budget: TimeBudget
) -> int | None:
    """Write the file, or go on where the last invocation stopped; return its bytes, or None when time ran out."""
    known = _read_progress(services, batch.batch_id)
    if known is not None and known.versions == versions:
        try:
            return _write(services, batch, results, known, budget)
        except UploadGone as error:
            logger.warning("messages.jsonl is begun anew", batch_id=batch.batch_id, reason=str(error))
    return _write(services, batch, results, MessagesProgress(versions=versions), budget)


def _write(
    services: Services, batch: Batch, results: Results, progress: MessagesProgress, budget: TimeBudget
) -> int | None:
    if progress.size is not None:
        return progress.size
    key = object_keys.result(batch.tenant, batch.batch_id, object_keys.MESSAGES)
    with services.bucket.writer(key, begun=progress.begun) as writer:
        try:
            for merged in results.lines(progress.after):
                for lines in _parts(services, merged):
                    writer.write(b"".join(map(result_line, lines)))
                progress.after = merged.last
                budget.check()
        except OutOfTime:
            progress.begun = writer.suspend()
            _write_progress(services, batch, progress)
            logger.info("messages.jsonl goes on in another invocation", batch_id=batch.batch_id, after=progress.after)
            return None
    progress.begun, progress.size = None, writer.size
    _write_progress(services, batch, progress)
    return writer.size


def _parts(services: Services, merged: MergedLines) -> Iterator[list[bytes]]:
    """Yield the lines, some at a time; those of a stretch are read here."""
    place = merged.stretch
    chunks = (
        iter([merged.data])
        if place is None
        else services.bucket.chunks(place.source, place.start, place.start + place.size)
    )
    return (block.lines for block in blocks(chunks, LONGEST))


def _read_progress(services: Services, batch_id: str) -> MessagesProgress | None:
    try:
        return msgspec.msgpack.decode(
            services.bucket.get(object_keys.messages_progress(batch_id)), type=MessagesProgress
        )
    except NotFound:
        return None


def _write_progress(services: Services, batch: Batch, progress: MessagesProgress) -> None:
    services.bucket.put(object_keys.messages_progress(batch.batch_id), msgspec.msgpack.encode(progress))
