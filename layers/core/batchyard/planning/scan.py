"""One pass over an input: every line is checked, and every good line is put into its shard."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from batchyard.domain import outcomes
from batchyard.domain.batch import SHOWN_ERRORS, BatchError
from batchyard.lines import messages, model_lines
from batchyard.lines.blocks import LineBlock, blocks
from batchyard.lines.line import (
    Line,
    custom_id_of,
    diagnose,
    fault_of,
    is_of_embeddings,
    parse,
    parse_alike,
    too_long,
    too_many_targets,
)
from batchyard.lines.shard_lines import Place, ShardLines
from batchyard.planning.duplicates import Ids
from batchyard.planning.output_limits import Meter
from batchyard.planning.progress import PlanProgress
from batchyard.planning.skipped import Skipped
from batchyard.planning.splitting import MOST_TARGETS, ShardLimits, Splitter, Targets
from batchyard.providers.routing import PARAM as NO_PROVIDER

if TYPE_CHECKING:
    from batchyard.lines.file_places import FilePlaces
    from batchyard.planning.changed_lines import ChangedLines
    from batchyard.planning.parent import ParentResults

LONGEST_LINE: Final = 16 * 1024 * 1024
LINES_TOGETHER: Final = 200  # lines that are read as one if they are alike
# Bytes of all errors, and beside the message of each: they are part of the batch's record, which holds 400 KB.
MOST_ERROR_BYTES, ERROR_OVERHEAD = 300_000, 100


class InputScan:
    """The pass over the input."""

    def __init__(
        self, targets: Targets, endpoint: str | None, progress: PlanProgress, skipped: Skipped | None = None
    ) -> None:
        """Go on from `progress`, and keep it up to date but for the open shards.

        `endpoint` is the batch's, None when the lines decide. `skipped` takes bad lines; without it they are only errors.
        """
        self._skipped = skipped
        self.parent: ParentResults | None = None  # only of a retry
        self.changed: ChangedLines | None = None  # only of a retry that changes bodies
        self.places: FilePlaces | None = None  # only of a gathered input
        self.progress = progress
        self._meter = Meter(progress.output_limits) if progress.metered else None
        self._endpoint = endpoint
        self._latest: tuple[str, str] | None = None  # target of the last good line, if it has no inputs to count
        self._targets, self._limits = targets, ShardLimits(0, 0, 0)  # those of the last good line
        self._longest = min(LONGEST_LINE, targets.longest_line)
        self.ids: Ids | None = None if progress.offset else Ids()  # another process has other hashes
        self._splitter = Splitter(progress.shards, map(ShardLines.unpacked, progress.open_shards))

    def take(self, chunks: Iterable[bytes]) -> Iterator[ShardLines | None]:
        """Read the input from `progress.offset` on; yield each shard that is full, and None after each block.

        After None the progress stands between two lines, and another process may go on.
        """
        for block in blocks(chunks, self._longest):
            for first in range(0, len(block.lines), LINES_TOGETHER):
                part = block.part(first, LINES_TOGETHER)
                if not self._take_alike(part):
                    yield from self._take_each(part)
            del block, part  # as in `blocks`
            self.progress.shards = self._splitter.shards
            yield None

    def open_shards(self) -> list[ShardLines]:
        """Return the shards that are not full, or may yet give lines to one."""
        return self._splitter.open_shards()

    def last_shards(self) -> list[ShardLines]:
        """Return these shards at the end of the input, as they are to be sent."""
        self._splitter.share_out(self._targets.limits)
        return self._splitter.open_shards()

    def add_error(self, error: BatchError, number: int | None = None) -> None:
        """Count an error, and keep it if it is among the first thousand and the record of the batch has room for it."""
        progress = self.progress
        if self.places is not None and number is not None:
            error = self.places.named(error, number)
        size = len(error.message.encode("utf-8", "replace")) + ERROR_OVERHEAD
        if len(progress.errors) < SHOWN_ERRORS and progress.errors_bytes + size <= MOST_ERROR_BYTES:
            progress.errors.append(msgspec.structs.replace(error, line=number))
            progress.errors_bytes += size
        progress.errors_total += 1
        outcomes.count_code(progress.codes, error.code)

    def count_errors(self, error: BatchError, count: int) -> None:
        """Count errors with the code of `error` that are not kept."""
        self.progress.errors_total += count
        outcomes.count_code(self.progress.codes, error.code, count)

    def _take_alike(self, block: LineBlock) -> bool:
        """Take lines that are all good and have the target of the last line, as nearly all have; False if some are not."""
        if self._latest is None or self._meter or self.parent or self.changed:
            return False
        if self._limits.line_bytes and max(block.sizes) > self._limits.line_bytes:
            return False
        custom_ids = parse_alike(block.lines, *self._latest)
        if custom_ids is None or not self._splitter.add_alike(
            self._place(self.progress.number + 1), self._latest, custom_ids, block.sizes, self._limits
        ):
            return False
        if self.ids is not None:
            self.ids.add(custom_ids)
        self.progress.lines += len(custom_ids)
        self.progress.number += len(custom_ids)
        self.progress.offset += sum(block.sizes)
        return True

    def _take_each(self, block: LineBlock) -> Iterator[ShardLines]:
        for text, size in zip(*block, strict=True):
            self.progress.number += 1
            if text.isspace() or (self.parent is not None and self.parent.keeps(text)):
                pass
            elif size > self._longest:
                self._refuse(too_long(size, self._longest), None)
            elif self.changed is None:
                yield from self._take_line(text, size)
            else:
                yield from self._take_changed(self.changed, text)
            self.progress.offset += size

    def _take_changed(self, lines: "ChangedLines", text: bytes) -> Iterator[ShardLines]:
        """Take a line as the retry changes it; it is checked as any line, and written if it is good."""
        changed, before = lines.changed(text), self.progress.lines - self.progress.skipped_lines
        if len(changed) > self._longest:
            self._refuse(too_long(len(changed), self._longest), text)
            return
        yield from self._take_line(changed, len(changed))
        if self.progress.lines - self.progress.skipped_lines > before:
            lines.write(changed)

    def _take_line(self, text: bytes, size: int) -> Iterator[ShardLines]:
        line = self._parsed(text)
        if isinstance(line, BatchError):
            self._refuse(line, text)
            return
        limits = self._limits_of(line, size)
        if isinstance(limits, BatchError):
            self._refuse(limits, text)
            return
        self._limits = limits
        self.progress.providers.add(limits.provider)
        self.progress.endpoint = self.progress.endpoint or self._endpoint or line.url
        self.progress.models.add(line.body.model)
        self._latest = None if is_of_embeddings(line.url) else (line.url, line.body.model)
        if self._meter is not None:
            self._meter.add(line, text)
        closed = self._splitter.add(self._place(self.progress.number), size, line, limits)
        if self.ids is not None:
            self.ids.add([line.custom_id])
        if self.parent is not None:
            self.progress.retry.note_sent(self.progress.lines, self.progress.lines)
        self.progress.lines += 1
        if closed is not None:
            yield closed

    def _limits_of(self, line: Line, size: int) -> ShardLimits | BatchError:
        """Return the limits at the provider that the line goes to, or say why the line goes to none."""
        if not self._splitter.takes(line):
            return too_many_targets(MOST_TARGETS)
        limits = self._targets.limits(line.url, line.body.model)
        if limits is None:
            return self._without_provider(line)
        return too_long(size, limits.longest_line) if size > limits.longest_line else limits

    def _without_provider(self, line: Line) -> BatchError:
        """Say why a line goes to no provider; what there is, and the remedy, are said with the first line alone."""
        error = self._targets.fault(line.url, line.body.model, self.progress.providers_told)
        self.progress.providers_told = self.progress.providers_told or error.param == NO_PROVIDER
        return error

    def _place(self, number: int) -> Place:
        offset = self.progress.offset if self.changed is None else self.changed.offset
        return Place(self.progress.lines, number, offset)

    def _refuse(self, error: BatchError, text: bytes | None) -> None:
        """Note a bad line; a skipped line keeps its position among the others."""
        self.add_error(error, self.progress.number)
        if self._skipped is not None:
            custom_id = custom_id_of(text) if text else None
            self._skipped.add(self.progress.lines, self.progress.number, custom_id, error)
            self.progress.lines += 1

    def _parsed(self, text: bytes) -> Line | BatchError:
        try:
            line = parse(text)
        except ValueError:
            return model_lines.read(text, self._endpoint) or diagnose(text)
        fault = fault_of(line, self._endpoint, self._targets.urls)
        if fault is not None:
            return model_lines.read(text, self._endpoint) or fault
        return (messages.fault_in(text) if line.url == messages.MESSAGES else None) or line
