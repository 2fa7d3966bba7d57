"""A provider that does to batches what it is told to, and keeps books of its own: what it ran, and what it handed out."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from batch_client import (
    PATIENCE,
    BadRequestError,
    Batch,
    BatchClientError,
    CannotTell,
    File,
    FileDeleted,
    FileTooLargeError,
    HttpInfo,
    NotFoundError,
    RateLimitError,
    RequestCounts,
)
from batch_client import BatchError as ProviderBatchError
from tests.fakes.provider import MemoryProvider, replace
from tests.faults.answers import COMPLETED, FAILED, RAN, READABLE, REFUSED, answer, is_unfit, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

ANSWERS: Final = "answers.jsonl"
NEVER_SEEN: Final = "never_seen"  # the code of an error that nobody knows


@dataclass
class Fate:
    """What becomes of one provider batch.

    `seconds` is its life; of its lines the first `share` are run; `lines` says what their answers look like, by custom_id;
    `shown` are statuses shown at the next looks instead of the true one, `odd` is shown at every look; `late` is how often
    its files are not found; `vanish` is how many answers of a cancelled one are counted while it runs, and lost in the end.
    """

    end: str = "completed"
    seconds: float = 90.0
    share: float = 1.0
    lines: dict[str, str] = field(default_factory=dict)
    errors: tuple[ProviderBatchError, ...] = ()
    shown: list[str] = field(default_factory=list)
    odd: str = ""
    late: int = 0
    no_counts: bool = False
    empty_ids: bool = False
    cancel_finishes: bool = False
    vanish: int = 0


@dataclass
class Made:
    """A provider batch as the provider knows it."""

    fate: Fate
    custom_ids: list[str]
    tokens: int
    model: str
    answers: int | None = None  # lines with a final answer that can be read; None of one that failed for a known reason
    #: how many lines were shown as completed at most, and how many in the end
    shown: int = 0
    counted: int = 0
    #: of those it counts as completed: lines that can be read of its files, that are not UTF-8, and that hold nothing
    came: int = 0
    refused: set[str] = field(default_factory=set)
    mangled: int = 0
    empty: int = 0


@dataclass
class Trouble:
    """What befalls a call: an error by operation, before or after its effect."""

    error: Callable[[str], BatchClientError]
    after: bool = False
    operation: str = "*"


@dataclass
class FatesProvider(MemoryProvider):
    """A provider that does to batches what their fates say and to calls what their troubles say, and keeps its own books."""

    may_create: Callable[[str], bool] = lambda _: True
    #: what becomes of the batches to come, in order
    fates: list[Fate] = field(default_factory=list)
    #: what befalls the calls to come, in order; None is a call that succeeds
    troubles: list[Trouble | None] = field(default_factory=list)
    #: a larger file is refused
    most_bytes: int | None = None
    #: it shows a list of its batches
    lists: bool = True
    token_limit: int | None = None
    tells_limit: bool = True
    bytes_per_token: int = 4
    #: the usage it reports is such a part of what counts in its queue
    usage_is_a: int = 1
    #: the tokens that others of the same account have queued
    others: int = 0
    made: dict[str, Made] = field(default_factory=dict)
    #: how often each request was sent on its own, by custom_id; the lost ones, too
    asked: Counter[str] = field(default_factory=Counter)
    #: how often each of them was run, and its answer is what its user accepts
    direct: Counter[str] = field(default_factory=Counter)
    #: what the answers to such requests look like, by custom_id; and what becomes of those that ask for flex processing:
    #: "full" is a 429, and "default" is an answer that came without it
    own: dict[str, str] = field(default_factory=dict)
    flex: dict[str, str] = field(default_factory=dict)
    #: of each request that was run on its own, the model, the tier it came by, and its tokens
    alone: list[tuple[str, str, dict[str, int]]] = field(default_factory=list)
    #: what a line's user asks of its answer, by custom_id
    accepts: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: the answers that their users do not accept, by custom_id
    unfit: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    #: how often a file is not found before it is
    late: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    #: the lines that a file refuses, by the file's id, and those of files that were read: they are final
    refusals: dict[str, set[str]] = field(default_factory=dict)
    final: set[str] = field(default_factory=set)
    ran: Counter[str] = field(default_factory=Counter)
    #: how often each line was ordered again by a retry, and how many answers it had then
    again: Counter[str] = field(default_factory=Counter)
    answered_before: Counter[str] = field(default_factory=Counter)
    readable: dict[str, list[bytes]] = field(default_factory=dict)
    #: the promises that were broken towards the provider
    wrongs: list[str] = field(default_factory=list)
    refused_for_tokens: int = 0
    most_queued: int = 0
    largest: int = 0

    def send(self, url: str, body: bytes, patience: float = PATIENCE) -> HttpInfo[bytes]:
        custom_id = prompt(body)
        with self.one_at_a_time:
            if tier(body) == "flex" and self.flex.get(custom_id) == "full":
                self._called("send")
                raise RateLimitError("Resource unavailable", status=429, code="resource_unavailable")
            self.asked[custom_id] += 1
        return super().send(url, body, patience)

    def make(self, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str]) -> Batch:
        attempt = metadata["batchyard_attempt"].rpartition("/")[0]
        running = [each.metadata["batchyard_attempt"].rpartition("/")[0] for each in self.live()]
        made = Made(*self._input(input_file_id, self.fates.pop(0) if self.fates else Fate()))
        batch = super().make(input_file_id, endpoint, completion_window, metadata)
        if attempt in running:
            self.wrongs.append(f"{batch.id} was made while another batch of shard {attempt} runs")
        if not self.may_create(metadata["batchyard_batch"]):
            self.wrongs.append(f"{batch.id} was made after its batch was stopped")
        self.wrongs += [f"{each} was sent again after a refusal" for each in made.custom_ids if each in self.final]
        self._look_for_needless(made.custom_ids)
        self.sent.update(made.custom_ids)
        self.made[batch.id] = made
        return batch

    def order_again(self, custom_ids: set[str]) -> None:
        """Note that a retry may send these lines, whatever became of them."""
        for each in custom_ids:
            self.again[each] += 1
            self.answered_before[each] = len(self.readable.get(each, [])) + self.direct[each]
        self.final -= custom_ids

    def _look_for_needless(self, custom_ids: list[str]) -> None:
        """A line whose answer was accepted is never sent again."""
        answers = {each: len(self.readable.get(each, [])) + self.direct[each] for each in custom_ids}
        again = [each for each, count in answers.items() if count > self.answered_before[each]]
        self.wrongs += [f"{each} was sent again after an answer that is accepted" for each in again]

    def live(self) -> list[Batch]:
        """List the batches that still run."""
        return [self.batches[batch_id] for batch_id in self.batches if not self._now(batch_id).ended]

    def left(self) -> list[str]:
        """Name the files that were not deleted."""
        return [file_id for file_id in self.files if file_id not in self.deleted]

    def _call(self, name: str, effect: Callable[[], T]) -> T:
        trouble = self._trouble(name)
        if trouble is not None and not trouble.after:
            self._called(name)
            raise trouble.error(name)
        if not self.lists and name in {"find_batch", "iter_batches"}:
            self._called(name)
            raise CannotTell("It lists nothing") if self.inline else BadRequestError("Method Not Allowed", status=405)
        result = super()._call(name, effect)
        if trouble is not None:
            raise trouble.error(name)
        return result

    def _trouble(self, operation: str) -> Trouble | None:
        if not self.troubles:
            return None
        due = self.troubles[0]
        if due is not None and due.operation not in ("*", operation):
            return None
        return self.troubles.pop(0)

    def _data(self, file_id: str) -> bytes:
        if self.late[file_id] > 0:
            self.late[file_id] -= 1
            raise NotFoundError("No such File object", status=404)
        return super()._data(file_id)

    def _keep(self, data: bytes, filename: str) -> File:
        if self.most_bytes is not None and filename != ANSWERS and len(data) > self.most_bytes:
            lines = data.splitlines(keepends=True)
            self.refused.update(json.loads(line)["custom_id"] for line in lines if len(line) > self.most_bytes)
            raise FileTooLargeError("Request Entity Too Large", status=413)
        return super()._keep(data, filename)

    def _read(self, file_id: str) -> Iterator[bytes]:
        data = super()._read(file_id)
        self.final |= self.refusals.get(file_id, set())
        return data

    def _delete(self, file_id: str) -> FileDeleted:
        self.late[file_id] = 0
        return super()._delete(file_id)

    def _answer(self, url: str, body: bytes) -> HttpInfo[bytes]:
        custom_id = prompt(body)
        if any(custom_id in self.made[batch.id].custom_ids for batch in self.live()):
            self.wrongs.append(f"{custom_id} was sent to {url} while a batch with it runs")
        self._look_for_needless([custom_id])
        by, sort = tier(body), self.own.get(custom_id, "good")
        by = "default" if self.flex.get(custom_id) == "default" else by
        told = said(sort, "direct")
        if self._is_unfit(custom_id, sort):
            self.unfit.setdefault(custom_id, []).append(told)
        else:
            self.direct[custom_id] += 1
        self.alone.append((json.loads(body)["model"], by, told.get("usage", {})))
        return HttpInfo(json.dumps({**told, "service_tier": by} if told else told).encode(), 200, {})

    def _is_unfit(self, custom_id: str, sort: str) -> bool:
        return is_unfit(sort, self.accepts.get(custom_id, {}))

    def _input(self, file_id: str, fate: Fate) -> tuple[Fate, list[str], int, str]:
        """Read the input; a batch of a file that is not there, or for which there is no room, fails."""
        if file_id not in self.files or file_id in self.deleted:
            return Fate("failed", 1, errors=(ProviderBatchError("invalid_request", "not found", "file_id"),)), [], 0, ""
        requests = [json.loads(line) for line in self.files[file_id].splitlines()]
        size, model = sum(len(json.dumps(each["body"])) for each in requests), requests[0]["body"]["model"]
        tokens = size // self.bytes_per_token
        running = [self.made[each.id] for each in self.live()]
        queued = self.others + sum(each.tokens for each in running if each.model == model)
        if self.token_limit is not None and queued + tokens > self.token_limit:
            self.refused_for_tokens += 1
            full = no_room(model, self.token_limit if self.tells_limit else None)
            fate, tokens = Fate("failed", 1, errors=(full,)), 0
        self.most_queued, self.largest = max(self.most_queued, queued + tokens), max(self.largest, tokens)
        return fate, [each["custom_id"] for each in requests], tokens, model

    def _batch(self, batch_id: str) -> Batch:
        super()._batch(batch_id)
        return self._now(batch_id)

    def _show(self, batch_id: str) -> Batch:
        seen = self._batch(batch_id)
        made, counts = self.made[batch_id], seen.request_counts
        made.shown = max(made.shown, counts.completed if counts else 0)
        shown, odd = made.fate.shown, made.fate.odd
        if odd:
            return replace(seen, status=odd)
        return replace(seen, status=shown.pop(0), output_file_id=None, error_file_id=None) if shown else seen

    def _listed(self, batch: Batch) -> Batch:
        return self._show(batch.id)

    def _now(self, batch_id: str) -> Batch:
        """Bring a batch to where it is by now."""
        batch, fate = self.batches[batch_id], self.made[batch_id].fate
        age = self.clock() - (batch.created_at or 0)
        if not batch.ended and age >= fate.seconds:
            self._end(batch, fate.end)
        elif batch.status == "cancelling":
            self._end(batch, "completed" if fate.cancel_finishes else "cancelled")
        elif batch.status == "validating" and age > 1:
            made = self.made[batch_id]
            sorts = [fate.lines.get(each, "good") for each in self._done(made, fate.end)]
            counts = RequestCounts(
                len(made.custom_ids), *(sum(map(each.__contains__, sorts)) for each in (COMPLETED, FAILED))
            )
            self.batches[batch_id] = replace(batch, status="in_progress", request_counts=counts)
        return self.batches[batch_id]

    def _end(self, batch: Batch, end: str) -> None:
        made = self.made[batch.id]
        if end == "failed":
            self._fail(batch, made)
            return
        done = self._done(made, end)
        output, errors, succeeded, failed = self._answers(batch.id, made, done, end)
        counts = RequestCounts(len(made.custom_ids), succeeded, failed)
        output_file_id, error_file_id = self._result(output, made.fate), self._result(errors, made.fate)
        self.refusals[error_file_id or ""] = {each for each in made.refused if error_file_id}
        self.batches[batch.id] = replace(
            batch, status=end, request_counts=None if made.fate.no_counts else counts, output_file_id=output_file_id,
            error_file_id=error_file_id,
        )  # fmt: skip

    def _done(self, made: Made, end: str) -> list[str]:
        """Name the lines that are run before a batch ends so."""
        share = 1.0 if end == "completed" else min(made.fate.share, 0.99)
        return made.custom_ids[: math.ceil(share * len(made.custom_ids))]

    def _fail(self, batch: Batch, made: Made) -> None:
        named = [error.line - 1 for error in made.fate.errors if error.line]
        made.answers = 0 if any(error.code == NEVER_SEEN for error in made.fate.errors) else None
        self.refused.update(made.custom_ids[at] for at in named if at < len(made.custom_ids))
        counts = RequestCounts(0, 0, 0)
        self.batches[batch.id] = replace(batch, status="failed", errors=made.fate.errors, request_counts=counts)

    def _answers(
        self, batch_id: str, made: Made, done: list[str], end: str
    ) -> tuple[list[bytes], list[bytes], int, int]:
        output: list[bytes] = []
        errors: list[bytes] = []
        ran = {*done}
        sorts = {each: made.fate.lines.get(each, "good") if each in ran else end for each in made.custom_ids}
        vanished = done[: made.fate.vanish] if end == "cancelled" else []
        for custom_id in reversed(made.custom_ids):
            sort = sorts[custom_id]
            self.ran[custom_id] += sort in RAN
            if custom_id in vanished:
                continue
            lines = answer(custom_id, sort, batch_id, made.tokens // len(made.custom_ids) // self.usage_is_a)
            (output if sort in RAN else errors).extend(lines)
            self._book(made, custom_id, sort, lines)
        left = [sorts[each] for each in done if each not in vanished]
        made.counted, failed = (sum(map(each.__contains__, left)) for each in (COMPLETED, FAILED))
        return output, errors, made.counted, failed

    def _book(self, made: Made, custom_id: str, sort: str, lines: list[bytes]) -> None:
        """Note what a line came to; of its answer, what is not UTF-8 is to be mended."""
        if sort in REFUSED:
            self.refused.add(custom_id)
            made.refused.add(custom_id)
        if sort in READABLE and self._is_unfit(custom_id, sort):
            self.unfit.setdefault(custom_id, []).append(json.loads(lines[0])["response"]["body"])
        elif sort in READABLE:
            self.readable.setdefault(custom_id, []).append(lines[0].decode("utf-8", "replace").encode())
        made.answers = (made.answers or 0) + (sort in READABLE or sort in REFUSED)
        made.came += sort in READABLE or sort == "zero"
        made.mangled += sort == "mangled"
        made.empty += sort == "empty"

    def _result(self, lines: list[bytes], fate: Fate) -> str | None:
        if not lines:
            return "" if fate.empty_ids else None
        file = self._keep(b"".join(lines), ANSWERS)
        self.late[file.id] = fate.late
        return file.id


def prompt(body: bytes) -> str:
    """Tell which line a request sent on its own is: its prompt is its custom_id."""
    return str(json.loads(body)["messages"][0]["content"])


def tier(body: bytes) -> str:
    """Tell which service tier a request asks for."""
    return str(json.loads(body).get("service_tier", "default"))


def no_room(model: str, limit: int | None) -> ProviderBatchError:
    """Say as OpenAI does that the queue of a model is full."""
    told = f" Limit: {limit:,} enqueued tokens." if limit else ""
    return ProviderBatchError(
        "token_limit_exceeded", f"Enqueued token limit reached for {model} in organization org-4.{told}"
    )
