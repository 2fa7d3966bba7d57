"""The results of the batch that is retried, read beside the input: what became of each line decides whether it is sent.

Both results are in input order and every request has one line in one of them, so one pass over each is enough.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Final

import msgspec

from batchyard.adapters.bucket import Bucket
from batchyard.domain import object_keys, outcomes
from batchyard.domain.batch import (
    RETRY_ALL,
    RETRY_CANCELLED,
    RETRY_ERRORS,
    RETRY_NOT_ACCEPTED,
    Batch,
    BatchError,
    InputObject,
)
from batchyard.domain.errors import NotFound
from batchyard.lines.blocks import blocks
from batchyard.lines.line import custom_id_of
from batchyard.planning.progress import PlanProgress
from batchyard.planning.skipped import Skipped
from batchyard.planning.taken_over import TakenOver
from batchyard.services import Services

LONGEST_ANSWER: Final = 512 * 1024 * 1024
# The codes of the errors that are sent again; of any other class, all are.
CODES: Final = {
    RETRY_CANCELLED: frozenset({"batch_cancelled", "batch_expired"}), RETRY_NOT_ACCEPTED: frozenset({outcomes.NOT_ACCEPTED}),
}  # fmt: skip
COPIED: Final = "parent-"


class CannotRetry(ValueError):  # noqa: N818 - names what was seen
    """The results of the parent are gone, or are not those of this input, or leave nothing to send."""

    def __init__(self, message: str, code: str = "invalid_request") -> None:
        """Make the error that the batch is refused with."""
        super().__init__(message)
        self.error = BatchError(code, message, "retry_of")


class _Error(msgspec.Struct, gc=False):
    code: str | None = None
    message: str | None = None
    line: int | None = None


class _Told(msgspec.Struct, gc=False):
    id: str | None = None
    custom_id: str | None = None
    error: _Error | None = None


class _Named(msgspec.Struct, gc=False):
    custom_id: str


_TOLD: Final = msgspec.json.Decoder(_Told)
_NAMED: Final = msgspec.json.Decoder(_Named)
# How lines and answers usually begin, with a custom_id that has no escapes.
BEGINNING: Final = re.compile(rb'\{ *"custom_id" *: *"([^"\\]+)"').match
ANSWER_BEGINNING: Final = re.compile(rb'\{ *"id" *: *"[^"\\]*" *, *"custom_id" *: *"([^"\\]+)"').match


class _Answer:
    """The next line of a result; it is decoded only if it must be, and once."""

    def __init__(self, text: bytes, offset: int) -> None:
        self.text, self.offset = text, offset

    @cached_property
    def custom_id(self) -> str | None:
        return _custom_id(self.text)

    @cached_property
    def told(self) -> _Told:
        try:
            return _TOLD.decode(self.text)
        except (ValueError, RecursionError):
            return _Told()

    def is_of(self, line: bytes) -> bool:
        """Tell whether the answer is that of a line of the input; of most, how both begin tells."""
        asked, told = BEGINNING(line), ANSWER_BEGINNING(self.text)
        if asked is not None and told is not None and asked[1] == told[1]:
            return True
        custom_id = _id_of(line)
        return custom_id is not None and custom_id == self.custom_id


class _Result:
    """A result of the parent, line by line."""

    def __init__(self, bucket: Bucket, source: InputObject, offset: int) -> None:
        self.offset = offset
        self._lines = self._read(bucket, source, offset)
        self.next: _Answer | None = None
        self.move_on()

    def move_on(self) -> None:
        self.offset += len(self.next.text) if self.next else 0
        text = next(self._lines, None)
        self.next = None if text is None else _Answer(text, self.offset)

    @staticmethod
    def _read(bucket: Bucket, source: InputObject, offset: int) -> Iterator[bytes]:
        for block in blocks(bucket.chunks(source, offset), LONGEST_ANSWER):
            yield from block.lines


class ParentResults:
    """What became of each line in the parent; the lines of the input are asked for in their order."""

    def __init__(self, services: Services, batch: Batch, progress: PlanProgress, skipped: Skipped) -> None:
        """Go on from the progress; copy the results first if it names no copies. Raises NotFound if they are gone."""
        retry, bucket = progress.retry, services.bucket
        output = retry.output = retry.output or _copied(services, batch, object_keys.OUTPUT)
        errors = retry.errors = retry.errors or _copied(services, batch, object_keys.ERRORS)
        self._batch, self._progress, self._skipped = batch, progress, skipped
        self._taken = TakenOver(bucket, batch.batch_id, output, retry)
        self._output = _Result(bucket, output, retry.output_offset)
        self._errors = _Result(bucket, errors, retry.errors_offset)

    def keeps(self, text: bytes) -> bool:
        """Tell whether a line keeps what the parent has for it; False if it is to be sent. Raises CannotRetry."""
        answer, error = self._output.next, self._errors.next
        if error is not None and (told := self._skipped_in_parent(error)) is not None:
            self._skip(error.custom_id, told)
        elif answer is not None and answer.is_of(text):
            self._taken.add(self._progress.lines, answer.offset, answer.text)
            self._output.move_on()
        elif error is not None and error.is_of(text):
            if not self._keep(error):
                self._progress.retry.errors_offset = self._move_on()
                return False
        else:
            raise CannotRetry(
                f"The results of {self._batch.retry_of} have no outcome for line {self._progress.number:,} of the input: "
                "they were changed or deleted. Create a batch of the lines that you need."
            )
        self._progress.retry.output_offset = self._output.offset
        self._progress.lines += 1
        return True

    def finish(self) -> None:
        """Close at the end of the input; raises CannotRetry if results are left over, or no line is to be sent."""
        self.close()
        if self._output.next or self._errors.next:
            raise CannotRetry(
                f"The results of {self._batch.retry_of} have more lines than the input: they were changed."
            )
        progress = self._progress
        if progress.errors_total == progress.skipped_lines == progress.lines - progress.retry.taken:
            of_class = "" if self._batch.retry_lines == RETRY_ERRORS else f" of the class '{self._batch.retry_lines}'"
            message = f"{self._batch.retry_of} has no line{of_class} that can be sent again."
            raise CannotRetry(message, "nothing_to_retry")

    def close(self) -> None:
        """Write what is held of the answers that are taken over."""
        self._taken.close()

    def _move_on(self) -> int:
        self._errors.move_on()
        return self._errors.offset

    def _skipped_in_parent(self, error: _Answer) -> BatchError | None:
        """Return why the parent skipped this very line of the input, if it did."""
        told = error.told
        if told.error is None or told.error.line != self._progress.number:
            return None
        if told.id != outcomes.line_id(self._batch.retry_of or "", self._progress.lines):
            return None
        return BatchError(told.error.code or "", told.error.message or "")

    def _skip(self, custom_id: str | None, error: BatchError) -> None:
        self._skipped.add(self._progress.lines, self._progress.number, custom_id, error)
        self._count(error.code)

    def _keep(self, error: _Answer) -> bool:
        """Keep the error of a line that is not of the class that is sent again."""
        wanted = CODES.get(self._batch.retry_lines)
        if wanted is None:
            return False
        answer = outcomes.parse(error.text)
        code = outcomes.code_of(answer) if answer else ""
        if code in wanted:
            return False
        self._skipped.add_line(self._progress.lines, error.text)
        self._count(code)
        return True

    def _count(self, code: str) -> None:
        self._progress.errors_total += 1
        outcomes.count_code(self._progress.codes, code)
        self._progress.retry.errors_offset = self._move_on()


def parent_of(services: Services, batch: Batch, progress: PlanProgress, skipped: Skipped) -> ParentResults | None:
    """Open the results of the batch that `batch` retries; None if none are taken over. Raises CannotRetry if they are gone."""
    if batch.retry_of is None or batch.retry_lines == RETRY_ALL or progress.whole_input_checked:
        return None
    try:
        return ParentResults(services, batch, progress, skipped)
    except NotFound as error:
        message = (
            f"The results of {batch.retry_of} are gone: deleted, or expired. Create a batch of the lines you need."
        )
        raise CannotRetry(message) from error


def _copied(services: Services, batch: Batch, name: str) -> InputObject:
    """Copy a result of the parent, on S3's side if it is large: the result may be deleted or expire before we end."""
    source, _ = services.bucket.head(object_keys.result(batch.tenant, batch.retry_of or "", name))
    key = object_keys.plan(batch.batch_id, COPIED + name)
    with services.bucket.writer(key, hashing=False) as writer:
        writer.copy(source, 0)
    return services.bucket.head(key)[0]


def _id_of(text: bytes) -> str | None:
    """Read the custom_id of a line of the input, good or bad."""
    try:
        return _NAMED.decode(text).custom_id
    except (ValueError, RecursionError):  # nothing bounds a short line that breaks off
        return custom_id_of(text)


def _custom_id(text: bytes) -> str | None:
    """Read the custom_id of a line of a result."""
    try:
        return _TOLD.decode(text).custom_id if b'"response":null' in text else _NAMED.decode(text).custom_id
    except (ValueError, RecursionError):
        answer = outcomes.parse(text)
        return answer.custom_id if answer else None
