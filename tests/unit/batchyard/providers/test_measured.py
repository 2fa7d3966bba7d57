"""A measured provider is the provider, and each call leaves its time and the kind of its failure."""

import json
from typing import Any, cast

import pytest

from batch_client import BatchClientError, ServerError
from batchyard.domain.errors import KeyMissing
from batchyard.providers.measured import MeasuredProvider, kind_of
from tests.fakes.failures import EACH_FAILURE
from tests.fakes.provider import ScriptedProvider
from tests.unit.template.published import CALLS


def told(printed: str, name: str) -> list[tuple[str, str | None]]:
    lines = [json.loads(line) for line in printed.splitlines() if f'"{name}"' in line]
    return [(line["call"], line.get("error")) for line in lines]


@pytest.mark.parametrize("name", CALLS)
def test_a_call_goes_through_and_its_answer_comes_back(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    def ready() -> ScriptedProvider:
        provider = ScriptedProvider()
        provider.create_file(cast("Any", Whole(b"{}\n")), "batchyard.jsonl")
        provider.make("file-0", "/v1/responses", "24h", {"key": "value"})
        provider.calls.clear()
        return provider

    plain, measured = ready(), ready()
    assert CALLS[name][1](MeasuredProvider(measured)) == CALLS[name][1](plain)
    assert measured.calls == plain.calls == [name]
    printed = capsys.readouterr().out
    assert len(told(printed, "ProviderCallTime")) == 1
    assert told(printed, "ProviderCallErrors") == []


class Whole(bytes):
    """A source of one piece."""

    def __iter__(self) -> Any:
        return iter([bytes(self)])


def test_a_download_that_breaks_off_has_begun_in_time_and_failed(capsys: pytest.CaptureFixture[str]) -> None:
    provider = ScriptedProvider(files={"file-0": b"x" * 2_000}, cut={"file-0": ServerError("gone", status=500)})
    pieces = MeasuredProvider(provider).read("file-0")
    read = [next(pieces), next(pieces), next(pieces)]
    with pytest.raises(ServerError):
        next(pieces)
    assert b"".join(read) == b"x" * 2_000
    printed = capsys.readouterr().out
    assert told(printed, "ProviderCallTime") == [("download", None)]
    assert told(printed, "ProviderCallErrors") == [("download", "server")]


def test_without_a_key_nobody_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    provider = ScriptedProvider(
        trouble={"retrieve_batch": [KeyMissing("Type it.")], "iter_batches": [KeyMissing("Type it.")]}
    )
    measured = MeasuredProvider(provider)
    with pytest.raises(KeyMissing):
        measured.look("pb-0")
    with pytest.raises(KeyMissing):
        list(measured.jobs())
    assert capsys.readouterr().out == ""


def test_every_failure_there_is_has_a_kind_and_what_is_not_known_is_other() -> None:
    kinds = {name: kind_of(failure.error("create_batch")) for name, failure in EACH_FAILURE.items()}
    assert kinds["no money"] == "money"
    assert kinds["no room for tokens"] == "token_limit"
    assert kinds["no connection"] == "connection"
    assert kinds["the answer is lost"] == "answer_lost"
    assert kind_of(BatchClientError("new")) == "other"
