"""`make prove` against emulators: the whole run of each dialect, and what is left if it ends early."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from local import ROOT
from local.prove.cli import main
from tests.fakes.batches import BUCKET
from tests.fakes.moto import empty_aws
from tests.integration.functions.moto_server import moto_server
from tests.integration.local.emulator.running import Emulator, started

SHORT = "0.5"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with started("--seconds-per-batch", SHORT) as running:
        yield running


def host_of(emulator: Emulator, **more: str) -> dict[str, str]:
    return {"PROVIDER_BASE_URL": emulator.url, "PROVIDER_API_KEY": emulator.api_key, **more}


def proven(emulator: Emulator, capsys: pytest.CaptureFixture[str], profile: str, status: int = 0) -> dict[str, Any]:
    arguments = ["--provider", profile, "--yes", "1", "--json", "1", "--model", "gpt-4.1-nano"]
    assert main(arguments, host_of(emulator)) == status
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def facts_of(proof: dict[str, Any], verdict: str) -> set[str]:
    return {fact["name"] for fact in proof["facts"] if fact["verdict"] == verdict}


@pytest.mark.parametrize("profile", ["openai", "anthropic", "mistral"])
def test_a_service_that_is_as_its_row_says_proves_it(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], profile: str
) -> None:
    if profile == "mistral":
        emulator.play(seconds_per_batch=float(SHORT), service=profile)
    proof = proven(emulator, capsys, profile)
    # The row of Mistral is sure of nothing that a cancel leaves, and its emulator leaves what was done in time.
    assert facts_of(proof, "differs") <= ({"after_cancel"} if profile == "mistral" else set())
    assert facts_of(proof, "holds") >= {"lookup", "paging", "least_lines", "progress"}
    assert ("windows" in facts_of(proof, "holds")) is (profile != "mistral"), "it does not say when a job expires"
    sizes = [(job["name"], job["requests"], job["succeeded"], job["refused"]) for job in proof["jobs"]]
    assert sizes[:3] == [("two", 2, 2, 0), ("bad", 2, 1, 1), ("hundred", 100, 100, 0)]
    assert "400" in proof["jobs"][1]["bad_line"]
    assert all(job["deleted"] for job in proof["jobs"])
    assert proof["jobs"][3]["statuses"][-1] in {"cancelled", "ended"}


@pytest.mark.parametrize(
    ("profile", "model", "jobs"),
    [("bedrock-key", "amazon.nova-lite-v1:0", 3), ("bedrock-openai-key", "openai.gpt-oss-20b-1:0", 3)],
)
def test_bedrock_reads_and_writes_a_bucket_and_its_answers_tell_their_tokens(
    capsys: pytest.CaptureFixture[str], profile: str, model: str, jobs: int
) -> None:
    with empty_aws() as session, moto_server() as aws, started("--seconds-per-batch", SHORT, "--aws", aws) as emulator:
        session.client("s3").create_bucket(Bucket=BUCKET)
        place = ["--bucket", BUCKET, "--role", "arn:aws:iam::123456789012:role/batches"]
        host = host_of(emulator) | {"PROVIDER_BASE_URL": emulator.url.removesuffix("/v1")}
        arguments = ["--provider", profile, "--yes", "1", "--json", "1", "--model", model, *place]
        assert main(arguments, host) == 0
        left = session.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    proof = json.loads(capsys.readouterr().out)
    assert len(proof["jobs"]) == jobs
    whole = next(job for job in proof["jobs"] if job["name"] == "hundred")
    assert (whole["succeeded"], whole["usage_in_lines"]) == (100, 100)
    assert whole["used"]["input_tokens"] > 100
    assert whole["used"]["output_tokens"] > 100
    assert facts_of(proof, "differs") == set()
    assert all(job["deleted"] for job in proof["jobs"])
    assert left == []


@pytest.mark.parametrize("place", [[], ["--bucket", BUCKET], ["--bucket", BUCKET, "--role", "batches"]])
def test_without_a_bucket_or_a_role_bedrock_is_refused_before_a_price_is_said(
    capsys: pytest.CaptureFixture[str], place: list[str]
) -> None:
    host = {"PROVIDER_BASE_URL": "https://bedrock.us-east-1.amazonaws.com", "PROVIDER_API_KEY": "k"}
    assert main(["--provider", "bedrock-key", "--yes", "1", "--model", "amazon.nova-lite-v1:0", *place], host) == 2
    told = capsys.readouterr()
    assert "BUCKET=… ROLE=arn:aws:iam::…:role/…" in told.err
    assert "$" not in told.err


def test_answers_that_name_no_request_prove_nothing(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.play(seconds_per_batch=0.5, lines=[{"do": {"nameless": True}}])
    proof = proven(emulator, capsys, "openai", status=1)
    assert proof["failed"].startswith("2 requests have no answer, and 2 lines answer none")
    assert len(proof["jobs"]) == 1, "no hundred is paid for after two that were not understood"


def test_what_differs_from_the_row_is_named_fact_by_fact(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.play(seconds_per_batch=0.5, service="together")
    proof = proven(emulator, capsys, "cerebras", status=1)  # whose uploads are OpenAI's, and Together's are not
    assert "createFile" not in {call["operation"] for call in emulator.admin("/calls")["data"] if call["status"] == 200}
    assert proof["failed"]
    emulator.play(seconds_per_batch=0.5)
    proof = proven(emulator, capsys, "siliconflow")
    assert facts_of(proof, "differs") == {"lookup"}, "the row says that nothing finds a lost create"


LISTED = "Only the provider's list of batches was asked for: no batch was made, and nothing is to be paid."


def asked_for(emulator: Emulator) -> list[str]:
    return [call["operation"] for call in emulator.admin("/calls")["data"]]


def test_nothing_but_a_list_is_asked_of_the_service_before_a_person_has_said_yes(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", "gpt-4.1-nano", "--provider", "openai"], host_of(emulator)) == 2
    told = capsys.readouterr()
    assert "at most $" in told.err
    assert "YES=1" in told.err
    assert told.err.endswith(f"{LISTED}\n")
    assert asked_for(emulator) == ["listBatches"]
    assert emulator.admin("/ledger")["data"] == []


def test_a_setting_that_is_wrong_is_told_before_anything_is_asked_for(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", "gpt-4.1-nano", "--yes", "maybe"], host_of(emulator)) == 2
    assert "Nothing was sent." in capsys.readouterr().err
    assert emulator.admin("/calls")["data"] == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_who_says_anything_but_yes_spends_nothing(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert main(["--model", "gpt-4.1-nano"], host_of(emulator)) == 2
    assert f"You did not say yes. {LISTED}" in capsys.readouterr().err
    assert asked_for(emulator) == ["listBatches"]
    assert emulator.admin("/ledger")["data"] == []


def test_a_create_whose_answer_is_lost_is_found_and_never_made_again(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = {"operation": "createBatch", "nth": "1", "do": {"connection": "reset", "after_effect": True}}
    emulator.play(seconds_per_batch=0.5, calls=[rule])
    proof = proven(emulator, capsys, "openai")
    assert len(emulator.calls("createBatch")) == len(proof["jobs"]) == 4


def test_a_key_that_is_refused_is_told_before_a_price_and_before_anything_runs(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    host = host_of(emulator) | {"PROVIDER_API_KEY": "sk-wrong"}
    emulator.play(api_key="sk-right")
    assert main(["--model", "gpt-4.1-nano", "--yes", "1"], host) == 1
    assert main(["--model", "gpt-4.1-nano"], host) == 1
    told = capsys.readouterr()
    assert told.err.count(f"{emulator.url} refused PROVIDER_API_KEY (HTTP 401). {LISTED}\n") == 2
    assert "$" not in told.err
    assert asked_for(emulator) == ["listBatches", "listBatches"], "once by each command"
    assert emulator.admin("/ledger")["data"] == []


def test_ctrl_c_cancels_what_runs_deletes_its_input_and_says_so() -> None:
    with started("--seconds-per-batch", "60") as emulator:
        command = [sys.executable, "-m", "local.prove", "--yes", "1", "--provider", "openai"]
        environment = {**os.environ, **host_of(emulator), "PYTHONPATH": ".:layers/client:layers/core"}
        with subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            assert running.stderr is not None
            said = [next(running.stderr), next(running.stderr)]
            assert "2 requests" in said[1], said
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=30)
        assert running.returncode == 128 + signal.SIGINT
        (batch,) = emulator.get("/batches")["data"]
        assert batch["status"] in {"cancelling", "cancelled"}
        assert f"{batch['id']} was cancelled" in out
        assert "was cancelled" not in err, "it stands in the proof, once"
        assert f"{batch['input_file_id']} was deleted" in out
        assert "ended early: it was stopped." in out
