"""Several providers of the user's own, as `make run` meets them: one file in, one result out, and each provider its lines."""

import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.processes import eventually, ledger, own_provider
from tests.system.running_stack import jsonl
from tests.system.runs import SLOW, finished, waiting

MODELS = ("gpt-4.1-mini", "codestral-latest", "gpt-4.1-mini", "mistral-small")
LINES = 60
NOVA = "amazon.nova-lite-v1:0"
LEAST = 100  # records of a job of Bedrock


def line(number: int) -> dict[str, Any]:
    body = {"model": MODELS[number % len(MODELS)], "messages": [{"role": "user", "content": f"Line {number}"}]}
    return {"custom_id": f"r{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}


def native(number: int) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": [{"text": f"Line {number}"}]}]}
    return {"custom_id": f"n{number}", "method": "POST", "url": f"/model/{NOVA}/converse", "body": body}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(jsonl(line(number) for number in range(LINES)))
    return path


@pytest.fixture
def two() -> Iterator[tuple[Mapping[str, str], Mapping[str, str]]]:
    """Yield a service like OpenAI, and Mistral."""
    rest = ("--api-key", "sk-of-rest-only", "--service", "mistral")
    with own_provider("--api-key", "sk-of-gpt-only") as first, own_provider(*rest) as second:
        yield first, second


def described(first: Mapping[str, str], second: Mapping[str, str], **changed: Any) -> dict[str, Any]:
    gpt = {"base_url": first["PROVIDER_BASE_URL"], "api_key": first["PROVIDER_API_KEY"], "models": ["gpt-*"]}
    rest = {"base_url": second["PROVIDER_BASE_URL"], "api_key": second["PROVIDER_API_KEY"], "profile": "mistral"}
    return {"gpt": gpt, "rest": {**rest, **changed}}


def lines_at(provider: Mapping[str, str]) -> set[str]:
    return {custom_id for made in ledger(provider) for custom_id in made["billed"]}


def test_one_file_goes_to_two_providers_and_comes_back_in_order(
    source: Path, tmp_path: Path, two: tuple[Mapping[str, str], Mapping[str, str]]
) -> None:
    file, out = tmp_path / "providers.json", tmp_path / "out"
    file.write_text(json.dumps(described(*two)))
    status, said = finished("run", "--input", str(source), "--out", str(out), PROVIDERS=str(file))
    assert status == 0, said
    answers = [json.loads(each) for each in (out / "output.jsonl").read_text().splitlines()]
    assert [each["custom_id"] for each in answers] == [f"r{number}" for number in range(LINES)]
    report = json.loads((out / "report.json").read_text())
    assert report["outcomes_equal_lines"]
    assert {(shard["provider"], shard["model"]) for shard in report["shards"]} == {
        ("gpt", "gpt-4.1-mini"), ("rest", "codestral-latest"), ("rest", "mistral-small"),
    }  # fmt: skip
    gpt = {f"r{number}" for number in range(LINES) if MODELS[number % len(MODELS)].startswith("gpt")}
    assert lines_at(two[0]) == gpt
    assert lines_at(two[1]) == {f"r{number}" for number in range(LINES)} - gpt
    shown = said + "".join(path.read_text() for path in out.rglob("*") if path.is_file())
    assert all(provider["PROVIDER_API_KEY"] not in shown for provider in two)


def test_bedrock_reads_its_lines_in_the_bucket_and_fewer_than_a_job_takes_go_one_by_one(tmp_path: Path) -> None:
    source, out = tmp_path / "native.jsonl", tmp_path / "out"
    few = [
        {**native(number), "custom_id": f"f{number}", "url": "/model/us.meta.llama3-1-8b-instruct-v1:0/converse"}
        for number in range(3)
    ]
    lines = [*map(native, range(LEAST)), *few]
    source.write_bytes(jsonl(lines))
    with own_provider() as bedrock:
        place = bedrock["PROVIDER_BASE_URL"].removesuffix("/v1")
        described = {"aws": {"profile": "bedrock", "base_url": place}}
        status, said = finished("run", "--input", str(source), "--out", str(out), PROVIDERS=json.dumps(described))
        assert status == 0, said
        jobs = [len(made["billed"]) for made in ledger(bedrock)]
    answers = [json.loads(each) for each in (out / "output.jsonl").read_text().splitlines()]
    assert [each["custom_id"] for each in answers] == [each["custom_id"] for each in lines]
    assert all(each["response"]["body"]["output"]["message"]["content"] for each in answers)
    assert jobs == [LEAST]


def test_a_key_that_one_of_them_refuses_is_told_before_anything_is_sent(
    source: Path, tmp_path: Path, two: tuple[Mapping[str, str], Mapping[str, str]]
) -> None:
    given = json.dumps(described(*two, api_key="sk-another-very-secret"))
    status, said = finished("run", "--input", str(source), "--out", str(tmp_path / "out"), PROVIDERS=given)
    assert status == 1
    assert "refused the api_key of rest in PROVIDERS (HTTP 401). Nothing was sent." in said
    assert "sk-another-very-secret" not in said
    assert not lines_at(two[0]) | lines_at(two[1])


def message(number: int) -> dict[str, Any]:
    body = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": f"Line {number}"}]}
    return {"custom_id": f"m{number}", "method": "POST", "url": "/v1/messages", "body": body}


def with_claude(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, Any]:
    claude = {"base_url": second["PROVIDER_BASE_URL"], "api_key": second["PROVIDER_API_KEY"], "profile": "anthropic"}
    return {"gpt": {"base_url": first["PROVIDER_BASE_URL"], "api_key": first["PROVIDER_API_KEY"]}, "claude": claude}


def left_at(provider: Mapping[str, str], path: str) -> list[Any]:
    key = provider["PROVIDER_API_KEY"]
    headers = {"Authorization": f"Bearer {key}", "x-api-key": key, "anthropic-version": "2023-06-01"}
    found: list[Any] = httpx.get(f"{provider['PROVIDER_BASE_URL']}{path}", headers=headers).json()["data"]
    return found


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_cancels_at_each_provider_what_it_has_there_in_its_own_dialect(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    source = tmp_path / "both.jsonl"
    source.write_bytes(jsonl([line(0), *map(message, range(5))]))
    seconds = "40" if number == signal.SIGINT else "600"
    with own_provider("--seconds-per-batch", seconds) as first, own_provider("--seconds-per-batch", seconds) as second:
        settings = {**SLOW, "PROVIDERS": json.dumps(with_claude(first, second))}
        with waiting(source, tmp_path, settings) as (process, _, said):
            chat = eventually(lambda: ledger(first) or None)
            native = eventually(lambda: ledger(second) or None)
            process.send_signal(number)
            assert process.wait(90) == status
        told = said.read_text()
        assert native[0]["id"].startswith("msgbatch_")
        assert all(made[0]["id"] in told for made in (chat, native))
        assert "Still running at the provider" not in told
        if number == signal.SIGINT:
            assert "No input and no result of it is left at the provider." in told
            assert left_at(second, "/messages/batches") == left_at(first, "/files") == []
        else:
            assert [made["status"] for made in ledger(first)] == ["cancelled"]
            assert [made["processing_status"] for made in ledger(second)] == ["ended"]
