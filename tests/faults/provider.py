"""A provider that does to batches what it is told to, and keeps books of its own: what it ran, and what it handed out."""

from __future__ import annotations

import itertools
import json
import math
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from batch_client import (
    APIConnectionError,
    Batch,
    BatchClientError,
    CreateOutcomeUnknown,
    File,
    FileDeleted,
    HttpInfo,
    NotFoundError,
    RequestCounts,
    RequestOutcomeUnknown,
    UploadOutcomeUnknown,
)
from batch_client import (
    BatchError as ProviderBatchError,
)
from tests.faults.answers import RAN, READABLE, answer
from tests.unit.batchyard.memory import is_it

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from batch_client import Source

T = TypeVar("T")

NEVER_SEEN: Final = "never_seen"  # the code of an error that nobody knows
CHUNK: Final = 700  # bytes of a download: lines are cut anywhere


@dataclass
class Fate:
    """What becomes of one provider batch.

    `seconds` is its life; of its lines the first `share` are run; `lines` says what their answers look like, by custom_id;
    `shown` are statuses shown at the next looks instead of the true one; `late` is how often its files are not found.
    """

    end: str = "completed"
    seconds: float = 90.0
    share: float = 1.0
    lines: dict[str, str] = field(default_factory=dict)
    errors: tuple[ProviderBatchError, ...] = ()
    shown: list[str] = field(default_factory=list)
    late: int = 0
    no_counts: bool = False
    empty_ids: bool = False
    cancel_finishes: bool = False


@dataclass
class Made:
    """A provider batch as the provider knows it."""

    batch: Batch
    custom_ids: list[str]
    fate: Fate
    tokens: int
    model: str
    answers: int | None = None  # lines with a final answer that can be read; None of one that failed for a known reason


@dataclass
class Trouble:
    """What befalls a call: an error by operation, before or after its effect."""

    error: Callable[[str], BatchClientError]
    after: bool = False
    operation: str = "*"


@dataclass
class FickleProvider:
    """The Protocol `batchyard.services.Provider`; `fates` are those of the batches to come, `troubles` those of the calls."""

    clock: Callable[[], float]
    may_create: Callable[[str], bool] = lambda _: True
    fates: list[Fate] = field(default_factory=list)
    troubles: list[Trouble | None] = field(default_factory=list)
    token_limit: int | None = None
    tells_limit: bool = True
    bytes_per_token: int = 4
    usage_is_a: int = 1  # … th part of what counts in the queue
    others: int = 0  # tokens that others of the same account have queued
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    made: dict[str, Made] = field(default_factory=dict)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    asked: Counter[str] = field(
        default_factory=Counter
    )  # requests sent on their own, by custom_id; those that were lost, too
    direct: Counter[str] = field(default_factory=Counter)  # what it ran of requests sent on their own, by custom_id
    late: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    ran: Counter[str] = field(default_factory=Counter)
    readable: dict[str, list[bytes]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    refused_for_tokens: int = 0
    most_queued: int = 0
    largest: int = 0

    def create_file(self, source: Source, filename: str) -> File:
        return self._call("create_file", lambda: self._keep(b"".join(source), filename))

    def create_batch(
        self, *, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str]
    ) -> Batch:
        def make() -> Batch:
            return self._make(Batch(
                id=f"pb-{next(self.numbers)}", status="validating", endpoint=endpoint, input_file_id=input_file_id,
                completion_window=completion_window, metadata=metadata, created_at=int(self.clock()),
            ))  # fmt: skip

        return self._call("create_batch", make)

    def retrieve_batch(self, batch_id: str) -> Batch:
        return self._call("retrieve_batch", lambda: self._shown(batch_id))

    def cancel_batch(self, batch_id: str) -> Batch:
        return self._call("cancel_batch", lambda: self._cancel(batch_id))

    def find_batch(
        self, metadata_key: str, value: str, since: int, *, input_file_id: str | None = None, but: Container[str] = ()
    ) -> Batch | None:
        def find() -> Batch | None:
            given = since, metadata_key, value, input_file_id, but
            return next((each.batch for each in reversed(self.made.values()) if is_it(each.batch, *given)), None)

        return self._call("find_batch", find)

    def iter_batches(self, *, after: str | None) -> Iterator[Batch]:
        newest_first = list(reversed(self.made))
        begin = newest_first.index(after) + 1 if after else 0
        return self._call("iter_batches", lambda: iter([self._shown(each) for each in newest_first[begin:]]))

    def iter_files(self, *, purpose: str, after: str | None) -> Iterator[File]:
        live = [
            File(id=each, filename=name, purpose=purpose)
            for each, (name, _) in reversed(self.files.items())
            if each not in self.deleted
        ]
        begin = next((at + 1 for at, file in enumerate(live) if file.id == after), 0)
        return self._call("iter_files", lambda: iter(live[begin:]))

    def delete_file(self, file_id: str) -> FileDeleted:
        return self._call("delete_file", lambda: self._delete(file_id))

    def download_file(self, file_id: str) -> Iterator[bytes]:
        def read() -> Iterator[bytes]:
            data = self._file(file_id)
            return iter([data[at : at + CHUNK] for at in range(0, len(data), CHUNK)])

        return self._call("download_file", read)

    def send(self, url: str, body: bytes) -> HttpInfo[bytes]:
        custom_id = json.loads(body)["messages"][0]["content"]

        def run() -> HttpInfo[bytes]:
            if any(custom_id in self.made[batch.id].custom_ids for batch in self.live()):
                self.wrongs.append(f"{custom_id} was sent to {url} while a batch with it runs")
            self.direct[custom_id] += 1
            usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
            return HttpInfo(json.dumps({"object": "chat.completion", "usage": usage}).encode(), 200, {})

        with self.one_at_a_time:  # several lines are under way at once
            self.asked[custom_id] += 1
            return self._call("send", run)

    def live(self) -> list[Batch]:
        """List the batches that still run."""
        return [made.batch for made in self.made.values() if not self._now(made).ended]

    def left(self) -> list[str]:
        """Name the files that were not deleted."""
        return [file_id for file_id in self.files if file_id not in self.deleted]

    def _call(self, operation: str, effect: Callable[[], T]) -> T:
        self.calls.append(operation)
        trouble = self._trouble(operation)
        if trouble is not None and not trouble.after:
            raise trouble.error(operation)
        result = effect()
        if trouble is not None:
            raise trouble.error(operation)
        return result

    def _trouble(self, operation: str) -> Trouble | None:
        if not self.troubles:
            return None
        due = self.troubles[0]
        if due is not None and due.operation not in ("*", operation):
            return None
        return self.troubles.pop(0)

    def _keep(self, data: bytes, filename: str) -> File:
        file = File(id=f"file-{len(self.files)}", bytes=len(data), filename=filename)
        self.files[file.id] = (filename, data)
        return file

    def _file(self, file_id: str) -> bytes:
        if self.late[file_id] > 0:
            self.late[file_id] -= 1
            raise NotFoundError("No such File object", status=404)
        if file_id not in self.files or file_id in self.deleted:
            raise NotFoundError("No such File object", status=404)
        return self.files[file_id][1]

    def _delete(self, file_id: str) -> FileDeleted:
        if file_id not in self.files or file_id in self.deleted:
            raise NotFoundError("No such File object", status=404)
        self.deleted.add(file_id)
        return FileDeleted(id=file_id)

    def _make(self, batch: Batch) -> Batch:
        attempt = batch.metadata["batchyard_attempt"].rpartition("/")[0]
        if any(each.metadata["batchyard_attempt"].rpartition("/")[0] == attempt for each in self.live()):
            self.wrongs.append(f"{batch.id} was made while another batch of shard {attempt} runs")
        if not self.may_create(batch.metadata["batchyard_batch"]):
            self.wrongs.append(f"{batch.id} was made after its batch was stopped")
        fate = self.fates.pop(0) if self.fates else Fate()
        made = Made(batch, *self._input(batch, fate))
        self.sent.update(made.custom_ids)
        self.made[batch.id] = made
        return batch

    def _input(self, batch: Batch, fate: Fate) -> tuple[list[str], Fate, int, str]:
        """Read the input; a batch of a file that is not there, or for which there is no room, fails."""
        if batch.input_file_id not in self.files or batch.input_file_id in self.deleted:
            return [], Fate("failed", 1, errors=(ProviderBatchError("invalid_request", "not found", "file_id"),)), 0, ""
        requests = [json.loads(line) for line in self.files[batch.input_file_id][1].splitlines()]
        size, model = sum(len(json.dumps(each["body"])) for each in requests), requests[0]["body"]["model"]
        tokens = size // self.bytes_per_token
        queued = self.others + sum(
            self.made[each.id].tokens for each in self.live() if self.made[each.id].model == model
        )
        if self.token_limit is not None and queued + tokens > self.token_limit:
            self.refused_for_tokens += 1
            fate, tokens = (
                Fate("failed", 1, errors=(no_room(model, self.token_limit if self.tells_limit else None),)),
                0,
            )
        self.most_queued, self.largest = max(self.most_queued, queued + tokens), max(self.largest, tokens)
        return [each["custom_id"] for each in requests], fate, tokens, model

    def _shown(self, batch_id: str) -> Batch:
        if batch_id not in self.made:
            raise NotFoundError("No batch found", status=404)
        made = self.made[batch_id]
        seen = self._now(made)
        if made.fate.shown:
            return msgspec.structs.replace(seen, status=made.fate.shown.pop(0), output_file_id=None, error_file_id=None)
        return seen

    def _now(self, made: Made) -> Batch:
        """Bring a batch to where it is by now."""
        age = self.clock() - (made.batch.created_at or 0)
        if not made.batch.ended and age >= made.fate.seconds:
            self._end(made, made.fate.end)
        elif made.batch.status == "cancelling":
            self._end(made, "completed" if made.fate.cancel_finishes else "cancelled")
        elif made.batch.status == "validating" and age > 1:
            made.batch = msgspec.structs.replace(made.batch, status="in_progress")
        return made.batch

    def _cancel(self, batch_id: str) -> Batch:
        seen = self._shown(batch_id)
        if not self.made[batch_id].batch.ended:
            self.made[batch_id].batch = msgspec.structs.replace(self.made[batch_id].batch, status="cancelling")
            return self.made[batch_id].batch
        return seen

    def _end(self, made: Made, end: str) -> None:
        if end == "failed":
            counts = RequestCounts(0, 0, 0)
            named = [error.line - 1 for error in made.fate.errors if error.line]
            made.answers = 0 if any(error.code == NEVER_SEEN for error in made.fate.errors) else None
            self.refused.update(made.custom_ids[at] for at in named if at < len(made.custom_ids))
            made.batch = msgspec.structs.replace(made.batch, status=end, errors=made.fate.errors, request_counts=counts)
            return
        share = 1.0 if end == "completed" else min(made.fate.share, 0.99)
        done = made.custom_ids[: math.ceil(share * len(made.custom_ids))] if end != "completed" else made.custom_ids
        output, errors, succeeded, failed = self._answers(made, done, end)
        counts = RequestCounts(len(made.custom_ids), succeeded, failed)
        made.batch = msgspec.structs.replace(
            made.batch, status=end, request_counts=None if made.fate.no_counts else counts,
            output_file_id=self._result(output, made.fate), error_file_id=self._result(errors, made.fate),
        )  # fmt: skip

    def _answers(self, made: Made, done: list[str], end: str) -> tuple[list[bytes], list[bytes], int, int]:
        output: list[bytes] = []
        errors: list[bytes] = []
        succeeded = 0
        for custom_id in reversed(made.custom_ids):
            sort = made.fate.lines.get(custom_id, "good") if custom_id in done else end
            lines = answer(custom_id, sort, made.batch.id, made.tokens // len(made.custom_ids) // self.usage_is_a)
            (output if sort in RAN else errors).extend(lines)
            if sort in RAN:
                self.ran[custom_id] += 1
                succeeded += 1
            if sort == "refused":
                self.refused.add(custom_id)
            if sort in READABLE:
                self.readable.setdefault(custom_id, []).append(lines[0])
            made.answers = (made.answers or 0) + (sort in READABLE or sort == "refused")
        return output, errors, succeeded, len(done) - succeeded

    def _result(self, lines: list[bytes], fate: Fate) -> str | None:
        if not lines:
            return "" if fate.empty_ids else None
        file = self._keep(b"".join(lines), "answers.jsonl")
        self.late[file.id] = fate.late
        return file.id


def no_room(model: str, limit: int | None) -> ProviderBatchError:
    """Say as OpenAI does that the queue of a model is full."""
    told = f" Limit: {limit:,} enqueued tokens." if limit else ""
    return ProviderBatchError(
        "token_limit_exceeded", f"Enqueued token limit reached for {model} in organization org-4.{told}"
    )


def lost(operation: str) -> BatchClientError:
    """Lose the answer to a call, as the client tells it of each operation."""
    kinds = {
        "create_batch": CreateOutcomeUnknown,
        "create_file": UploadOutcomeUnknown,
        "send": RequestOutcomeUnknown,
    }
    return kinds.get(operation, APIConnectionError)("the answer was lost")
