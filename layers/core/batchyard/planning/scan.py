"""One pass over an input: every line checked, every good line in its shard."""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import msgspec

from batchyard.domain import outcomes
from batchyard.domain.batch import SHOWN_ERRORS, BatchError
from batchyard.lines.blocks import LineBlock, blocks
from batchyard.lines.line import (
    EMBEDDINGS,
    Line,
    custom_id_of,
    diagnose,
    parse,
    parse_alike,
    refuse,
    too_long,
    too_many_targets,
)
from batchyard.lines.shard_lines import Place, ShardLines
from batchyard.planning.duplicates import Ids
from batchyard.planning.output_limits import Meter
from batchyard.planning.progress import PlanProgress
from batchyard.planning.splitting import MOST_TARGETS, Limits, Splitter

LONGEST_LINE: Final = 16 * 1024 * 1024
AT_ONCE: Final = 200  # lines that are read together if they are alike
MOST_ERROR_BYTES, ERROR_OVERHEAD = 300_000, 100  # they share the batch's record, which holds 400 KB


class SetAside(Protocol):
    """Where bad lines go."""

    def add(self, position: int, number: int, custom_id: str | None, error: BatchError) -> None:
        """Take a line by its position, its line number and its custom_id, if it has one."""
        ...


class InputScan:
    """The pass. `endpoint` is the one the batch was made for, None when the lines decide."""

    def __init__(
        self, limits: Limits, endpoint: str | None, progress: PlanProgress, skipped: SetAside | None = None
    ) -> None:
        """Go on from `progress`, which this keeps up to date except for its open shards; `skipped` takes bad lines."""
        self._skipped = skipped
        self.progress = progress
        self._meter = Meter(progress.outputs) if progress.metered else None
        self._endpoint = endpoint
        self._latest: tuple[str, str] | None = None  # where the last good line went, if it has no inputs to count
        self._longest = min(LONGEST_LINE, limits.bytes)
        self.ids = None if progress.offset else Ids()  # hashes mean nothing in another process
        self._splitter = Splitter(limits, progress.shards, map(ShardLines.unpacked, progress.opened))

    def take(self, chunks: Iterable[bytes]) -> Iterator[ShardLines | None]:
        """Take the input from where the progress stands; yield each shard that is full, and None between blocks.

        Whenever this has yielded, the progress stands between two lines and the pass may be left.
        """
        for block in blocks(chunks, self._longest):
            for first in range(0, len(block.lines), AT_ONCE):
                part = block.part(first, AT_ONCE)
                if not self._take_alike(part):
                    yield from self._take_each(part)
            del block, part  # as in `blocks`
            self.progress.shards = self._splitter.shards
            yield None

    def rest(self) -> list[ShardLines]:
        """Return the shards that are not full."""
        return self._splitter.rest()

    def complain(self, error: BatchError, number: int | None = None) -> None:
        """Note an error; the first thousand are kept, as far as they fit the record, and all are counted."""
        progress = self.progress
        size = len(error.message.encode("utf-8", "replace")) + ERROR_OVERHEAD
        if len(progress.errors) < SHOWN_ERRORS and progress.errors_bytes + size <= MOST_ERROR_BYTES:
            progress.errors.append(msgspec.structs.replace(error, line=number))
            progress.errors_bytes += size
        progress.errors_total += 1
        outcomes.count_code(progress.codes, error.code)

    def complain_of_more(self, error: BatchError, count: int) -> None:
        """Count errors of a kind that are not kept."""
        self.progress.errors_total += count
        outcomes.count_code(self.progress.codes, error.code, count)

    def _take_alike(self, block: LineBlock) -> bool:
        """Take lines that are all good and go where the last line went, as nearly all do."""
        if self._latest is None or self._meter is not None:
            return False
        custom_ids = parse_alike(block.lines, *self._latest)
        if custom_ids is None or not self._splitter.add_run(
            self._place(self.progress.numbers + 1), self._latest, custom_ids, block.sizes
        ):
            return False
        if self.ids is not None:
            self.ids.add(custom_ids)
        self.progress.lines += len(custom_ids)
        self.progress.numbers += len(custom_ids)
        self.progress.offset += sum(block.sizes)
        return True

    def _take_each(self, block: LineBlock) -> Iterator[ShardLines]:
        for text, size in zip(*block, strict=True):
            self.progress.numbers += 1
            if size > self._longest:
                self._refused(too_long(size, self._longest), None)
            elif not text.isspace():
                yield from self._take_line(text, size)
            self.progress.offset += size

    def _take_line(self, text: bytes, size: int) -> Iterator[ShardLines]:
        line = self._parsed(text)
        if isinstance(line, BatchError):
            self._refused(line, text)
            return
        if not self._splitter.takes(line):
            self._refused(too_many_targets(MOST_TARGETS), text)
            return
        self.progress.endpoint = self.progress.endpoint or line.url
        self.progress.models.add(line.body.model)
        self._latest = None if line.url == EMBEDDINGS else (line.url, line.body.model)
        if self._meter is not None:
            self._meter.add(line, text)
        closed = self._splitter.add(self._place(self.progress.numbers), size, line)
        if self.ids is not None:
            self.ids.add([line.custom_id])
        self.progress.lines += 1
        if closed is not None:
            yield closed

    def _place(self, number: int) -> Place:
        return Place(self.progress.lines, number, self.progress.offset)

    def _refused(self, error: BatchError, text: bytes | None) -> None:
        """Complain of a bad line; where bad lines are skipped, it keeps its place among the others."""
        self.complain(error, self.progress.numbers)
        if self._skipped is not None:
            custom_id = custom_id_of(text) if text else None
            self._skipped.add(self.progress.lines, self.progress.numbers, custom_id, error)
            self.progress.lines += 1

    def _parsed(self, text: bytes) -> Line | BatchError:
        try:
            line = parse(text)
        except ValueError:
            return diagnose(text)
        return refuse(line, self._endpoint) or line
