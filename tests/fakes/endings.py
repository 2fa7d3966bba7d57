"""A provider whose batches end as a test says beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch_client import Batch, File, HttpInfo, RequestCounts
from batch_client import BatchError as ProviderBatchError
from tests.fakes.lines import good, unrun
from tests.fakes.provider import MemoryProvider, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchyard.adapters.secrets_manager import Secret

Ending = Callable[["EndingsProvider", Batch], Batch]


@dataclass
class EndingsProvider(MemoryProvider):
    """A provider whose batches end after a poll or more; without an ending of its own, all lines of a batch succeed."""

    #: how each batch ends, in the order of creation
    endings: list[Ending] = field(default_factory=list)
    #: what the next calls raise, in order; None is a call that succeeds
    before: list[Exception | None] = field(default_factory=list)
    polls_before_end: int = 1
    looked: dict[str, int] = field(default_factory=dict)
    #: the provider's key, which is read for each call, so that whoever calls must be allowed to
    key: Secret | None = None
    #: the custom_ids sent on their own, which the prompts are
    direct: list[str] = field(default_factory=list)
    #: what the next requests with the model in their url are answered on their own, in order; and all others
    natives: list[bytes] = field(default_factory=list)
    native: bytes = b'{"usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}}'

    def end(self, batch_id: str, ending: Ending) -> Batch:
        self.batches[batch_id] = ending(self, self.batches[batch_id])
        return self.batches[batch_id]

    def add(self, data: bytes) -> File:
        """Keep a file of answers, which no list of input files shows."""
        file = self._keep(data, "answers.jsonl")
        del self.uploads[file.id]
        return file

    def custom_ids(self, batch: Batch) -> list[str]:
        lines = self.files[batch.input_file_id or ""].splitlines()
        return [json.loads(line)["custom_id"] for line in lines if line.strip()]

    def ledger(self) -> Iterator[tuple[str, str]]:
        """Yield what was paid: each custom_id and `2xx` for every answer the provider made."""
        for batch in self.batches.values():
            for line in self.files.get(batch.output_file_id or "", b"").splitlines():
                yield json.loads(line)["custom_id"], "2xx"
        for custom_id in self.direct:
            yield custom_id, "2xx"

    def _called(self, name: str) -> None:
        super()._called(name)
        if self.key is not None:
            self.key.forget()
            self.key()
        trouble = self.before.pop(0) if self.before else None
        if trouble is not None:
            raise trouble

    def _show(self, batch_id: str) -> Batch:
        batch = self._batch(batch_id)
        self.looked[batch_id] = self.looked.get(batch_id, 0) + 1
        if batch.status == "cancelling":
            return self.end(batch_id, cancelled())
        if not batch.ended and self.looked[batch_id] > self.polls_before_end:
            number = list(self.batches).index(batch_id)
            return self.end(batch_id, self.endings[number] if number < len(self.endings) else completed)
        return replace(batch, status=batch.status if batch.ended else "in_progress")

    def _answer(self, url: str, body: bytes) -> HttpInfo[bytes]:
        self.direct.append(json.loads(body)["messages"][0]["content"])
        if url.startswith("/model/"):
            return HttpInfo(self.natives.pop(0) if self.natives else self.native, 200, {})
        assert url == "/v1/chat/completions"
        return HttpInfo(json.dumps(json.loads(good("any"))["response"]["body"], indent=2).encode(), 200, {})


def ended(provider: EndingsProvider, batch: Batch, status: str, output: list[bytes], errors: list[bytes]) -> Batch:
    total = len(provider.custom_ids(batch))
    return replace(
        batch, status=status,
        request_counts=RequestCounts(total=total, completed=len(output), failed=len(errors) if status == "completed" else 0),
        output_file_id=provider.add(b"".join(output)).id if output else None,
        error_file_id=provider.add(b"".join(errors)).id if errors else None,
    )  # fmt: skip


def completed(provider: EndingsProvider, batch: Batch) -> Batch:
    """Answer every request, last first, as order is not promised."""
    return ended(provider, batch, "completed", [good(each) for each in reversed(provider.custom_ids(batch))], [])


def answering(answer: Callable[[str], bytes | None], status: str = "completed") -> Ending:
    """End with what `answer` makes of each custom_id: bytes of a good line, another line, or nothing."""

    def ending(provider: EndingsProvider, batch: Batch) -> Batch:
        lines = [line for each in provider.custom_ids(batch) if (line := answer(each))]
        output = [line for line in lines if b'"status_code": 200' in line]
        return ended(provider, batch, status, output, [line for line in lines if line not in output])

    return ending


def cancelled() -> Ending:
    return answering(lambda custom_id: unrun(custom_id, "batch_cancelled"), "cancelled")


def failed(*errors: ProviderBatchError) -> Ending:
    return lambda _, batch: replace(batch, status="failed", errors=errors, request_counts=RequestCounts(0, 0, 0))
