"""What services that speak OpenAI's dialect do otherwise, as their rows name it, and that each of it is followed.

Each case is chosen by the host of the service, as a user's address chooses it. `docs/openai-like.md` tells users of them.
"""

import json
from typing import Any

import pytest

from batch_client import (
    PROFILES,
    AuthenticationError,
    BatchClientError,
    ByteRanges,
    CannotTell,
    Dialect,
    Job,
    Look,
    QuotaError,
    RateLimitError,
    RequestCounts,
    State,
    speak,
)
from batchyard.domain.batch import BatchError
from batchyard.domain.job import end_of
from batchyard.domain.outcomes import code_of, outcome_of, parse
from batchyard.domain.policy import Outcome, Reaction, after_failed_batch, after_failed_call
from batchyard.providers.entries import Entry, entries
from batchyard.providers.limits import most_in_ledger, narrowed
from batchyard.providers.urls import profile_of
from batchyard.providers.windows import Windows
from tests.fakes.services import made_up_settings
from tests.unit.batch_client.fake_service import (
    BATCH,
    FILE,
    Answer,
    FakeService,
    Step,
    answer,
    client_of,
    envelope,
    page,
)

ADDRESSES = {
    "azure": "https://made-up.openai.azure.com/openai/v1", "groq": "https://api.groq.com/openai/v1",
    "together": "https://api.together.ai/v1", "deepinfra": "https://api.deepinfra.com/v1/openai",
    "parasail": "https://api.saas.parasail.io/v1", "dashscope": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    "moonshot": "https://api.moonshot.ai/v1", "siliconflow": "https://api.siliconflow.cn/v1",
    "zhipu": "https://open.bigmodel.cn/api/paas/v4", "ovh": "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
    "qianfan": "https://qianfan.baidubce.com/v2", "novita": "https://api.novita.ai/openai/v1",
    "perplexity": "https://api.perplexity.ai/v1", "cerebras": "https://api.cerebras.ai/v1",
    "doubleword": "https://api.doubleword.ai/v1",
}  # fmt: skip
JOB = Job(
    key="batch_1/0/2", labels={"ds_name": "x", "team": "y"}, endpoint="/v1/chat/completions", model="m", window="24h",
    count=3, filename="in.jsonl", prepared="file-7",
)  # fmt: skip
NOTHING = ByteRanges(lambda _start, _length: (), ())


def spoken(service: str, *steps: Step) -> tuple[Dialect, FakeService]:
    client, sent = client_of(*steps, base_url=ADDRESSES[service])
    assert client.profile.name == service
    return speak(client, "key"), sent


def look_at(service: str, told: object) -> Look:
    return spoken(service, answer(told))[0].look("batch_1")


def test_each_host_chooses_its_own_row_and_rows_without_a_host_are_named() -> None:
    assert {profile_of(Entry(name="x", base_url=url)).name for url in ADDRESSES.values()} == set(ADDRESSES)
    like_openai = {name for name, profile in PROFILES.items() if profile.dialect == "openai"}
    assert like_openai - set(ADDRESSES) == {"openai", "azure-entra", "mimo", "vllm", "compatible"}


@pytest.mark.parametrize(
    ("service", "word", "state", "partial"),
    [
        ("together", "VALIDATING", State.WAITING, False), ("together", "IN_PROGRESS", State.RUNNING, False),
        ("together", "CANCELING", State.ENDING, False), ("together", "CANCELLED", State.ENDED, True),
        ("together", "COMPLETED", State.ENDED, False), ("together", "EXPIRED", State.ENDED, True),
        ("novita", "PROGRESS", State.RUNNING, False), ("novita", "COMPLETED", State.ENDED, False),
        ("novita", "VALIDATING", State.WAITING, False), ("novita", "CANCELLED", State.ENDED, True),
        ("groq", "cancelling", State.ENDING, False), ("dashscope", "finalizing", State.ENDING, False),
        ("siliconflow", "in_queue", State.WAITING, False), ("moonshot", "cancelled", State.ENDED, True),
        ("qianfan", "Running", State.RUNNING, False), ("qianfan", "Done", State.ENDED, False),
        ("qianfan", "Stopped", State.ENDED, True), ("qianfan", "Expired", State.ENDED, True),
        ("zhipu", "expired", State.ENDED, True), ("ovh", "in_progress", State.RUNNING, False),
    ],
)  # fmt: skip
def test_a_status_in_the_words_of_a_service_is_one_of_five_states(
    service: str, word: str, state: State, partial: bool
) -> None:
    seen = look_at(service, {**BATCH, "status": word})
    assert (seen.state, seen.partial) == (state, partial)


NOVITA = {
    "id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "file-7", "output_file_id": "",
    "error_file_id": "", "completion_window": "48h", "in_progress_at": {}, "expires_at": None, "completed_at": {},
    "status": "PROGRESS", "errors": "", "version": 1, "created_at": "2026-09-01T10:00:00Z", "total": 9, "completed": 9,
    "failed": 9, "metadata": {}, "request_counts": {"total": 3, "completed": 1, "failed": 1},
}  # fmt: skip
TOGETHER = {
    "id": "uuid", "input_file_id": "file-7", "file_size_bytes": 9, "status": "FAILED", "progress": 0, "model_id": "m",
    "job_deadline": "2026-09-02T10:00:00Z", "created_at": "2026-09-01T10:00:00Z", "endpoint": "/v1/chat/completions",
    "error": "line 3: no model",
}  # fmt: skip


def test_what_a_batch_of_novita_says_twice_or_in_other_forms_is_read_once() -> None:
    seen = look_at("novita", NOVITA)
    assert (seen.counts, seen.results, seen.problems) == (RequestCounts(3, 1, 1), (), ())
    assert (seen.created_at, seen.expires_at) == (1_788_256_800, None)


def test_a_batch_of_siliconflow_may_count_nothing_and_name_no_error() -> None:
    nothing: list[object] = [None, {}]
    for counts in nothing:
        seen = look_at("siliconflow", {**BATCH, "status": "in_queue", "request_counts": counts, "errors": []})
        assert (seen.counts, seen.problems, seen.whole) == (None, (), True)


def test_a_job_of_together_has_no_counts_and_one_text_for_an_error() -> None:
    made, _ = spoken("together", answer({"job": {**TOGETHER, "status": "VALIDATING"}, "warning": "w"}, 201))
    assert made.submit(JOB, NOTHING).state is State.WAITING
    seen = look_at("together", TOGETHER)
    assert (seen.counts, seen.usage, seen.key, seen.whole) == (None, None, "", True)
    assert [each.message for each in seen.problems] == ["line 3: no model"]


def test_azure_names_results_of_a_failed_batch_and_counts_nothing() -> None:
    told = {
        **BATCH, "status": "failed", "request_counts": {"total": 10, "completed": None, "failed": None},
        "output_file_id": "file-o", "error_file_id": "file-e",
        "errors": {"data": [{"code": "token_limit_exceeded", "message": "no room"}]},
    }  # fmt: skip
    seen = look_at("azure", told)
    assert (seen.counts, seen.results, seen.whole, seen.ended) == (None, ("file-o", "file-e"), True, True)
    assert end_of(seen) == "failed"
    ours = [BatchError(each.code or "", each.message or "", each.param, each.line) for each in seen.problems]
    assert after_failed_batch(ours) is Reaction.REUSE
    assert not PROFILES["azure"].facts.expires, "so that Batchyard ends it itself"


@pytest.mark.parametrize("service", [name for name in ADDRESSES if PROFILES[name].facts.paging == "none"])
def test_where_lists_have_no_pages_one_is_asked_for_and_shows_no_lost_create_for_sure(service: str) -> None:
    bare = (
        answer([{**TOGETHER, "input_file_id": "file-6"}])
        if service == "together"
        else answer({"object": "list", "data": [BATCH]})
    )
    dialect, sent = spoken(service, bare)
    with pytest.raises(CannotTell, match=service):
        dialect.find(JOB, 0)
    assert [each.url.partition("?") for each in sent.sent] == [(f"{ADDRESSES[service]}/batches", "", "")]
    assert [seen.id for seen in dialect.jobs()] == [TOGETHER["id"] if service == "together" else BATCH["id"]]


@pytest.mark.parametrize("service", [name for name in ADDRESSES if PROFILES[name].facts.lookup == "none"])
def test_where_no_list_proves_that_a_create_was_lost_a_listed_batch_is_adopted_and_else_a_person_decides(
    service: str,
) -> None:
    dialect, _ = spoken(service, answer(page({**BATCH, "id": "mine", "metadata": {"key": JOB.key}})))
    found = dialect.find(JOB, 0)
    assert found is not None
    assert found.id == "mine"
    bare, _ = spoken(service, answer(page({**BATCH, "id": "same-input", "metadata": None, "input_file_id": "file-7"})))
    adopted = bare.find(JOB, 0)
    assert adopted is not None
    assert adopted.id == "same-input"
    with pytest.raises(CannotTell, match=service):
        spoken(service, answer(page()))[0].find(JOB, 0)


def test_a_list_of_many_pages_is_read_to_its_end_before_a_create_goes_again() -> None:
    pages = [answer({**page({**BATCH, "id": f"b{at}"}), "has_more": at < 2}) for at in range(3)]
    dialect, sent = spoken("parasail", *pages)
    assert dialect.find(JOB, 0) is None
    assert len(sent.sent) == 3


def test_keys_of_metadata_that_mean_something_to_dashscope_are_left_out_there_alone() -> None:
    told: dict[str, Any] = {}
    for service in ("dashscope", "moonshot"):
        dialect, sent = spoken(service, answer(BATCH))
        dialect.submit(JOB, NOTHING)
        told[service] = json.loads(sent.sent[0].body)["metadata"]
    assert told["dashscope"] == {"key": JOB.key, "team": "y"}
    assert told["moonshot"] == {"key": JOB.key, "ds_name": "x", "team": "y"}


def test_single_requests_of_parasail_go_to_its_other_host_and_batches_do_not() -> None:
    dialect, sent = spoken("parasail", answer({}), answer(BATCH))
    dialect.send("/v1/chat/completions", b"{}")
    dialect.look("b")
    assert [each.url for each in sent.sent] == [
        "https://api.parasail.io/v1/chat/completions", "https://api.saas.parasail.io/v1/batches/b",
    ]  # fmt: skip


@pytest.mark.parametrize(("service", "url"), [("zhipu", "/v4/chat/completions"), ("qianfan", "/v2/chat/completions")])
def test_a_url_of_another_version_is_that_of_the_service_and_no_other_takes_it(service: str, url: str) -> None:
    told = {"a": {"base_url": ADDRESSES[service]}, "b": {"base_url": "https://api.openai.com/v1"}}
    own, openai = entries(made_up_settings(providers=json.dumps(told)))
    assert (url in own.foreign_urls, url in openai.foreign_urls) == (False, True)
    dialect, sent = spoken(service, answer({}))
    dialect.send(url, b"{}")
    assert sent.sent[0].url == f"{ADDRESSES[service]}/chat/completions"


@pytest.mark.parametrize(
    ("service", "told", "pending", "problem"),
    [
        ("groq", {"status": None}, False, None), ("together", {"Processed": True, "status": None}, False, None),
        ("moonshot", {"status": "ok"}, False, None), ("dashscope", {"status": "processed"}, False, None),
        ("azure", {"status": "pending"}, True, None), ("azure", {"status": "error", "status_details": "BOM"}, False, "BOM"),
    ],
)  # fmt: skip
def test_a_file_with_or_without_a_status_is_ready_or_not(
    service: str, told: dict[str, object], pending: bool, problem: str | None
) -> None:
    laid = spoken(service, answer({**FILE, **told}))[0].prepared("file-7")
    assert (laid.pending, laid.problem) == (pending, problem)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ({"code": "invalid_request_error", "message": "no"}, Outcome.REFUSED),
        ({"code": "context_length_exceeded", "message": "no"}, Outcome.REFUSED),
        ({"code": "unsupported_model", "message": "no"}, Outcome.REFUSED), ({"code": 422, "message": "no"}, Outcome.REFUSED),
        ({"code": "rate_limit_exceeded", "message": "no"}, Outcome.TRANSIENT), ({"code": 429}, Outcome.TRANSIENT),
        ({"code": "internal_error", "message": "no"}, Outcome.TRANSIENT), ({"code": "503"}, Outcome.TRANSIENT),
        ({"code": "request_timeout", "message": "no"}, Outcome.TRANSIENT), ({"message": "no code"}, Outcome.TRANSIENT),
        ({"code": "insufficient_quota", "message": "no"}, Outcome.UNFINISHED), ({"code": "batch_expired"}, Outcome.UNFINISHED),
        ({"error_code": "InvalidParameter", "error_message": "DashScope's names"}, Outcome.REFUSED),
        ({"error_code": "RequestTimeOut", "error_message": "…"}, Outcome.TRANSIENT),
        ({"error_code": "Throttling.RateQuota", "error_message": "…"}, Outcome.TRANSIENT),
        ({"code": "batch_client_error", "message": "Together's one code"}, Outcome.TRANSIENT), ("bare text", Outcome.TRANSIENT),
    ],
)  # fmt: skip
def test_a_failed_line_without_an_http_answer_is_judged_by_its_code(error: object, outcome: Outcome) -> None:
    for line in ({"custom_id": "a", "response": None, "error": error}, {"custom_id": "a", "error": error}):
        read = parse(json.dumps(line).encode())
        assert read is not None
        assert (read.custom_id, outcome_of(read)) == ("a", outcome)
        assert code_of(read)


@pytest.mark.parametrize(
    ("service", "refused", "kind"),
    [
        ("zhipu", answer(envelope("1001", "no key"), 400), AuthenticationError),
        ("zhipu", answer(envelope("1113", "owes"), 429), QuotaError),
        ("zhipu", answer(envelope("1302", "too quick"), 429), RateLimitError),
        ("dashscope", answer(envelope("Arrearage", "owes"), 400), QuotaError),
        ("moonshot", answer(envelope(None, "owes", type="exceeded_current_quota_error"), 429), QuotaError),
        ("moonshot", answer(envelope(None, "too quick", type="rate_limit_reached_error"), 429), RateLimitError),
        ("together", answer({"error": "Free credits exhausted", "request_id": "r"}, 401), AuthenticationError),
        ("groq", answer(envelope("invalid_api_key", "no"), 401), AuthenticationError),
        ("deepinfra", answer({"detail": {"error": "inference prohibited"}}, 402), QuotaError),
    ],
)  # fmt: skip
def test_a_refused_key_and_an_empty_purse_wait_for_a_person_and_haste_does_not(
    service: str, refused: Answer, kind: type[BatchClientError]
) -> None:
    with pytest.raises(BatchClientError) as told:
        spoken(service, refused)[0].look("batch_1")
    assert type(told.value) is kind
    assert after_failed_call(told.value) is (Reaction.RETRY if kind is RateLimitError else Reaction.PAUSE)


@pytest.mark.parametrize(
    ("service", "requests", "size", "inputs", "jobs"),
    [
        ("groq", 50_000, 100_000_000, 50_000, "0"), ("together", 50_000, 100_000_000, 50_000, "0"),
        ("deepinfra", 50_000, 200_000_000, 50_000, "100"), ("parasail", 50_000, 100_000_000, 50_000, "0"),
        ("dashscope", 50_000, 200_000_000, 50_000, "1000"), ("moonshot", 50_000, 100_000_000, 50_000, "0"),
        ("siliconflow", 5_000, 200_000_000, 50_000, "0"), ("zhipu", 50_000, 100_000_000, 10_000, "0"),
        ("ovh", 50_000, 200_000_000, 50_000, "5"), ("novita", 50_000, 200_000_000, 50_000, "0"),
        ("azure", 50_000, 200_000_000, 50_000, "0"),
    ],
)  # fmt: skip
def test_no_shard_is_larger_than_its_service_takes_and_no_more_batches_run_at_once(
    service: str, requests: int, size: int, inputs: int, jobs: str
) -> None:
    (entry,) = entries(made_up_settings(provider_base_url=ADDRESSES[service]))
    facts = profile_of(entry).facts
    least = narrowed(entry, facts)
    wanted = (requests, min(size, entry.max_bytes_per_shard), inputs)
    assert (least.max_requests_per_shard, least.max_bytes_per_shard, least.max_embedding_inputs_per_shard) == wanted
    assert (most_in_ledger(entry, facts) if facts.room == "jobs" else "0") == jobs
    assert facts.most_line_bytes == (10_000_000 if service == "together" else 0)


@pytest.mark.parametrize(
    ("service", "taken", "refused"),
    [
        ("groq", ["24h", "25h", "3d", "7d"], ["23h", "8d"]), ("moonshot", ["12h", "24h", "7d"], ["11h", "8d"]),
        ("dashscope", ["24h", "100h", "14d"], ["12h", "337h"]), ("ovh", ["24h", "48h", "72h"], ["25h", "7d"]),
        ("novita", ["24h", "48h"], ["72h"]), ("doubleword", ["1h", "24h"], ["2h"]),
        ("siliconflow", ["24h", "14d"], ["12h", "15d"]),
        ("together", ["24h"], ["48h"]), ("azure", ["24h"], ["7d"]),
    ],
)  # fmt: skip
def test_a_window_is_one_that_the_service_has(service: str, taken: list[str], refused: list[str]) -> None:
    facts = PROFILES[service].facts
    windows = Windows(facts.windows, facts.windows_between)
    assert [window for window in [*taken, *refused] if windows.take(window)] == taken


def test_a_create_that_is_repeated_carries_one_key_where_the_service_knows_it_again() -> None:
    dialect, sent = spoken("perplexity", answer(BATCH), answer(page()))
    dialect.submit(JOB, NOTHING)
    assert sent.sent[0].headers["Idempotency-Key"] == JOB.key
    assert dialect.find(JOB, 0) is None, "so another create is harmless"
