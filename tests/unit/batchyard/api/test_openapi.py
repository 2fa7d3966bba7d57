"""Every batch decodes in the strictest client that OpenAI's description generates, and is as our own describes it.

Clients can be generated from our own description, too.
"""

import json
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard import services
from batchyard.api import openapi
from batchyard.costs.usage import Usage
from batchyard.domain import multipart_upload, stored_file
from batchyard.domain.batch import TIMES, BatchError, Counts, shape
from batchyard.domain.multipart_upload import StoredUpload
from batchyard.domain.stored_file import StoredFile
from batchyard.domain.webhook_endpoint import wrong_url
from tests.fakes.batches import NOW, batch
from tests.fakes.services import MemoryServices
from tests.unit.functions.gateway import call
from tests.unit.strict_models import Status, StrictBatch, StrictFile, StrictUpload

DOCUMENT: dict[str, Any] = json.loads(openapi.text())
DESCRIBED = jsonschema_rs.Draft202012Validator({**DOCUMENT, "$ref": "#/components/schemas/Batch"})
counts = st.integers(0, 2**31 - 1)
tokens = st.integers(0, 2**34)
times = st.none() | st.integers(NOW, NOW + 1_000 * 86_400)
line_errors = st.builds(BatchError, st.text(), st.text(), st.none() | st.text(), st.none() | st.integers(1, 2**31 - 1))
members = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(get_args(Status)), "endpoint": st.sampled_from([None, "/v1/videos"]),
        "model": st.none() | st.text(),
        "metadata": st.none() | st.dictionaries(st.text(min_size=1, max_size=64), st.text(max_size=512), max_size=16),
        "counts": st.builds(Counts, counts, counts, counts), "paused": st.none() | st.text(),
        "usage": st.none() | st.builds(Usage, tokens, tokens, tokens, tokens, tokens),
        "errors": st.lists(line_errors, max_size=3), "errors_total": counts,
        "output_file_id": st.none() | st.text(), "error_file_id": st.none() | st.text(),
        **dict.fromkeys(set(TIMES) - {"expires_at"}, times),
    },
)  # fmt: skip


@given(members)
def test_any_batch_decodes_in_the_strictest_client_and_is_as_described(given_members: dict[str, Any]) -> None:
    text = msgspec.json.encode(shape(batch(**given_members)))
    decoded = msgspec.json.decode(text, type=StrictBatch)
    assert decoded.request_counts.total == given_members.get("counts", Counts()).total
    DESCRIBED.validate(json.loads(text))


GIVEN = ("assistants", "batch", "fine-tune", "vision", "user_data")
files = st.builds(
    StoredFile,
    file_id=st.text(), tenant=st.just("acme"), key=st.just("files/acme/f"), bytes=st.integers(0, 5 * 10**12),
    filename=st.text(), purpose=st.sampled_from([*GIVEN, "batch_output"]), created_at=st.integers(NOW, NOW + 86_400),
    position=st.just("p"), status=st.sampled_from(["uploaded", "processed"]), expires_at=times,
)  # fmt: skip
uploads = st.builds(
    StoredUpload,
    upload_id=st.text(), tenant=st.just("acme"), bytes=st.integers(0, 512_000_000), filename=st.text(),
    purpose=st.sampled_from(GIVEN), created_at=st.just(NOW), expires_at=st.just(NOW + 3_600),
    expires_at_ttl=st.just(NOW + 7_200), status=st.sampled_from(["pending", "completed", "cancelled"]),
)  # fmt: skip


@given(files)
def test_any_file_decodes_in_the_strictest_client_whatever_its_size(file: StoredFile) -> None:
    decoded = msgspec.json.decode(msgspec.json.encode(stored_file.shape(file)), type=StrictFile)
    assert (decoded.id, decoded.purpose) == (file.file_id, file.purpose)


@given(uploads, st.none() | files, st.integers(NOW, NOW + 10_000))
def test_any_upload_decodes_in_the_strictest_client_at_any_time(
    upload: StoredUpload, file: StoredFile | None, now: int
) -> None:
    shown = multipart_upload.shape(upload, now, file)
    assert msgspec.json.decode(msgspec.json.encode(shown), type=StrictUpload).id == upload.upload_id


def schemas(within: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of the document that could be a schema."""
    if isinstance(within, dict):
        yield within
    for each in within.values() if isinstance(within, dict) else within if isinstance(within, list) else ():
        yield from schemas(each)


def test_no_schema_of_ours_is_named_as_a_type_that_a_language_has() -> None:
    # Generated Ruby takes an answer of type File for a download.
    taken = {"File", "Error", "Object", "Module", "Response", "Request", "Result", "Option", "String", "List", "Map"}
    assert not taken & DOCUMENT["components"]["schemas"].keys()


def test_every_fixed_value_is_text_of_a_type_for_generators_to_go_by() -> None:
    fixed = [each for each in schemas(DOCUMENT) if isinstance(each.get("const", each.get("enum")), str | bool | list)]
    assert fixed
    assert all("string" in each["type"] for each in fixed)  # of a fixed boolean they make an enum of the text "true"


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("name", ["CreateWebhookEndpoint", "UpdateWebhookEndpoint"])
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/hook", "https://hooks.example.com/a", "ftp://a.example/", "http://u@a/"]
)
def test_a_webhook_s_url_is_described_as_the_stack_takes_it(url: str, name: str, *, private: bool) -> None:
    document = json.loads(openapi.text(private_webhooks=private))
    member = document["components"]["schemas"][name]["properties"]["url"]
    pattern = member.get("anyOf", [member])[0]  # where it may be absent, it may be null
    described = jsonschema_rs.Draft202012Validator(pattern).is_valid(url)
    assert described == (wrong_url(url, private=private) is None)
    text = pattern["description"]
    assert ("http or https" in text) == private


def test_nothing_else_of_the_document_depends_on_the_stack() -> None:
    assert openapi.text(private_webhooks=False) == openapi.text()
    told = openapi.text(private_webhooks=True).splitlines()
    assert sum(one != other for one, other in zip(told, openapi.text().splitlines(), strict=True)) == 4


def test_the_description_is_of_this_very_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    made = MemoryServices(webhooks_to_private_addresses="true")
    monkeypatch.setattr(services, "current", lambda: made)
    answer = call("GET", "/v1/openapi.json")
    assert (answer.status, answer.json) == (200, json.loads(openapi.text(private_webhooks=True)))
