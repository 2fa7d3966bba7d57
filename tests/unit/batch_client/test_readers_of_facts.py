"""That the client does as the facts of its service say."""

import json

import msgspec
import pytest

from batch_client import (
    AuthenticationError,
    BatchClientError,
    CannotTell,
    Facts,
    Job,
    OpenAIDialect,
    Profile,
    QuotaError,
    RateLimitError,
    Sign,
)
from batch_client.sources import BytesSource
from tests.unit.batch_client.fake_service import (
    BATCH,
    FILE,
    KEY,
    FakeService,
    Step,
    answer,
    client_of,
    envelope,
    page,
)

SOURCE = "a document, 2026"
JOB = Job(
    key="batch_1/0/2", labels={"stack": "yard", "team": "x"}, endpoint="/v1/responses", model="m", window="24h", count=3,
    filename="in.jsonl", prepared="file-7",
)  # fmt: skip


def service_of(*steps: Step, **facts: object) -> tuple[OpenAIDialect, FakeService]:
    profile = Profile(name="odd", facts=msgspec.convert({"source": SOURCE, **facts}, Facts))
    client, service = client_of(*steps, profile=profile)
    return OpenAIDialect(client, "key"), service


def error_of(refused: Step, **facts: object) -> BatchClientError:
    dialect, _ = service_of(refused, **facts)
    with pytest.raises(BatchClientError) as caught:
        dialect.look("batch_1")
    return caught.value


def test_a_lost_create_that_the_list_does_not_show_is_unknown_where_the_list_proves_nothing() -> None:
    for facts in ({"lookup": "none"}, {"paging": "none"}):
        dialect, _ = service_of(answer(page()), **facts)
        with pytest.raises(CannotTell, match="odd"):
            dialect.find(JOB, 0)


def test_a_lost_create_that_the_list_shows_is_found_all_the_same() -> None:
    for facts in ({"lookup": "none"}, {"paging": "none"}, {"lookup": "metadata"}, {"lookup": "token"}):
        dialect, _ = service_of(answer(page({**BATCH, "id": "b", "metadata": {"key": JOB.key}})), **facts)
        found = dialect.find(JOB, 0)
        assert found is not None
        assert found.id == "b"


def test_a_lost_create_is_made_again_where_the_service_tells_the_two_apart() -> None:
    for facts in ({"lookup": "metadata"}, {"lookup": "token"}, {"lookup": "token", "paging": "none"}):
        dialect, _ = service_of(answer(page()), **facts)
        assert dialect.find(JOB, 0) is None


def test_both_creates_of_a_job_carry_its_key_where_the_service_knows_it_again() -> None:
    profile = Profile(name="odd", idempotency_header="Idempotency-Key", facts=Facts(source=SOURCE, lookup="token"))
    client, service = client_of(answer(BATCH), profile=profile)
    dialect = OpenAIDialect(client, "key")
    dialect.submit(JOB, BytesSource(b""))
    dialect.submit(JOB, BytesSource(b""))
    assert [sent.headers["Idempotency-Key"] for sent in service.sent] == [JOB.key, JOB.key]


def test_no_other_service_gets_a_header_of_that_name() -> None:
    dialect, service = service_of(answer(BATCH))
    dialect.submit(JOB, BytesSource(b""))
    assert not [name for name in service.sent[0].headers if "idempotency" in name.lower()]


def test_a_key_of_metadata_that_means_something_to_the_service_is_left_out() -> None:
    dialect, service = service_of(answer(BATCH), reserved_metadata=["team"])
    dialect.submit(JOB, BytesSource(b""))
    assert json.loads(service.sent[0].body)["metadata"] == {"key": JOB.key, "stack": "yard"}


def test_a_list_of_one_page_is_read_once_and_asked_for_nothing() -> None:
    dialect, service = service_of(answer({"object": "list", "data": [BATCH], "has_more": True}), paging="none")
    assert [look.id for look in dialect.jobs(after="batch_9")] == [BATCH["id"]]
    assert [sent.url for sent in service.sent] == ["https://service.test/v1/batches"]


def test_a_key_that_is_refused_in_the_words_of_the_service_is_a_key_that_is_refused() -> None:
    refused = answer(envelope("API_KEY_INVALID", "API key not valid."), 400)
    assert isinstance(error_of(refused, key_refused=[[400, "API_KEY_INVALID", None]]), AuthenticationError)
    assert isinstance(error_of(refused, key_refused=[[400, None, "api key not valid"]]), AuthenticationError)
    assert not isinstance(error_of(refused, key_refused=[[403, "API_KEY_INVALID", None]]), AuthenticationError)
    assert not isinstance(error_of(refused), AuthenticationError)


def test_an_empty_purse_in_the_words_of_the_service_is_an_empty_purse() -> None:
    refused = answer(envelope(None, "You exceeded your current quota.", type="exceeded_current_quota_error"), 429)
    assert isinstance(error_of(refused, purse_empty=[[429, "exceeded_current_quota_error", None]]), QuotaError)
    assert isinstance(error_of(refused), RateLimitError)


def test_a_batch_that_failed_for_want_of_money_says_so_in_openais_word() -> None:
    failed = answer({**BATCH, "status": "failed", "errors": {"data": [{"code": "Arrearage", "message": "Pay."}]}})
    dialect, _ = service_of(failed, purse_empty=[[400, "Arrearage", None]])
    (problem,) = dialect.look("batch_1").problems
    assert (problem.code, problem.message) == ("insufficient_quota", "Pay.")
    dialect, _ = service_of(failed)
    assert dialect.look("batch_1").problems[0].code == "Arrearage"


def test_a_sign_without_any_mark_shows_nothing() -> None:
    assert not Sign().shows(400, {"x"}, "words")


@pytest.mark.parametrize("base_url", ["https://batch.odd.test/v1", "https://eu.batch.odd.test/v1"])
def test_a_request_on_its_own_goes_where_the_service_takes_such_with_the_key(base_url: str) -> None:
    profile = Profile(name="odd", hosts=("batch.odd.test",), ordinary_url="https://api.odd.test/v2")
    client, service = client_of(answer({}), answer(BATCH), base_url=base_url, profile=profile)
    client.send("/v1/chat/completions", b"{}")
    client.retrieve_batch("b")
    assert [sent.url for sent in service.sent] == ["https://api.odd.test/v2/chat/completions", f"{base_url}/batches/b"]
    assert [sent.headers["Authorization"] for sent in service.sent] == [f"Bearer {KEY}"] * 2


def test_a_gateway_before_such_a_service_gets_the_requests_itself() -> None:
    profile = Profile(name="odd", hosts=("batch.odd.test",), ordinary_url="https://api.odd.test/v2")
    client, service = client_of(answer({}), base_url="http://127.0.0.1:9/v1", profile=profile)
    client.send("/v1/chat/completions", b"{}")
    assert service.sent[0].url == "http://127.0.0.1:9/v1/chat/completions"


def test_the_version_of_a_url_is_that_of_the_base_url() -> None:
    client, service = client_of(answer({}), base_url="https://open.bigmodel.cn/api/paas/v4")
    client.send("/v4/chat/completions", b"{}")
    assert service.sent[0].url == "https://open.bigmodel.cn/api/paas/v4/chat/completions"


def test_together_takes_an_input_at_a_path_of_its_own_with_its_name_in_the_form() -> None:
    client, service = client_of(answer(FILE), profile="together")
    client.create_file(b'{"custom_id":"a"}\n', "in.jsonl")
    sent = service.sent[0]
    assert (sent.method, sent.url) == ("POST", "https://service.test/v1/files/upload")
    assert b'name="purpose"\r\n\r\nbatch-api\r\n' in sent.body
    assert b'name="file_name"\r\n\r\nin.jsonl\r\n' in sent.body
    assert sent.body.index(b'name="file_name"') < sent.body.index(b'name="file"')
    assert b'{"custom_id":"a"}\n' in sent.body
