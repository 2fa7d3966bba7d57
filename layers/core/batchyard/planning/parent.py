"""The results of the batch that is retried, read beside the input: what became of each line decides whether it is sent.

Both results are in input order and every request has one line in one of them, so one pass over each is enough.
"""

from typing import Final

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
from batchyard.lines.file_places import FilePlaces, read_results, read_table
from batchyard.lines.result_lines import ResultLine, ResultLines
from batchyard.planning.progress import PlanProgress
from batchyard.planning.skipped import Skipped
from batchyard.planning.taken_over import TakenOver
from batchyard.services import Services

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


class ParentResults:
    """What became of each line in the parent; the lines of the input are asked for in their order."""

    def __init__(
        self, services: Services, batch: Batch, progress: PlanProgress, skipped: Skipped, places: FilePlaces | None
    ) -> None:
        """Go on from the progress; copy the results first if it names no copies. Raises NotFound if they are gone."""
        retry, bucket = progress.retry, services.bucket
        self._places = places
        self._files = read_results(bucket, batch.retry_of or "").files if places else []
        self._read = read_table(bucket, batch.retry_of or "").files if places else []
        output = retry.output = retry.output or _copied(services, batch, object_keys.OUTPUT)
        errors = retry.errors = retry.errors or _copied(services, batch, object_keys.ERRORS)
        self._batch, self._progress, self._skipped = batch, progress, skipped
        self._taken = TakenOver(bucket, batch.batch_id, output, retry)
        self._output = ResultLines(bucket, output, retry.output_offset, retry.output_left if places else None)
        self._errors = ResultLines(bucket, errors, retry.errors_offset, retry.errors_left if places else None)

    def why_set_aside(self, at: int) -> BatchError | None:
        """Say why the parent set a file of a gathered input aside; None if it did not."""
        return self._read[at].reason

    def begin_file(self, at: int) -> None:
        """Begin a file of a gathered input: only its own lines of the results can be those of its requests."""
        self._output.left, self._errors.left = self._files[at].completed, self._files[at].failed

    def keeps(self, text: bytes) -> bool:
        """Tell whether a line keeps what the parent has for it; False if it is to be sent. Raises CannotRetry."""
        answer, error = self._output.within, self._errors.within
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
        retry = self._progress.retry
        retry.output_left, retry.errors_left = self._output.left or 0, self._errors.left or 0

    def _move_on(self) -> int:
        self._errors.move_on()
        return self._errors.offset

    def _skipped_in_parent(self, error: ResultLine) -> BatchError | None:
        """Return why the parent skipped this very line of the input, if it did."""
        told = error.told
        number, said = self._progress.number, ""
        if self._places is not None:
            line = self._places.line(number)
            number, said = line.number, f"{line.file}: "
        if told.error is None or told.error.line != number:
            return None
        if told.id != outcomes.line_id(self._batch.retry_of or "", self._progress.lines):
            return None
        return BatchError(told.error.code or "", (told.error.message or "").removeprefix(said))

    def _skip(self, custom_id: str | None, error: BatchError) -> None:
        self._skipped.add(self._progress.lines, self._progress.number, custom_id, error)
        self._count(error.code)

    def _keep(self, error: ResultLine) -> bool:
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
        self._progress.retry.kept += 1
        outcomes.count_code(self._progress.codes, code)
        self._progress.retry.errors_offset = self._move_on()


def parent_of(
    services: Services, batch: Batch, progress: PlanProgress, skipped: Skipped, places: FilePlaces | None = None
) -> ParentResults | None:
    """Open the results of the batch that `batch` retries; None if none are taken over. Raises CannotRetry if they are gone."""
    if batch.retry_of is None or batch.retry_lines == RETRY_ALL or progress.whole_input_checked:
        return None
    try:
        return ParentResults(services, batch, progress, skipped, places)
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
