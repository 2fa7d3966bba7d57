"""What we send is what the official SDK sends, but for its own headers and the encodings and tools it names."""

import re
from collections.abc import Callable

import openai
import pytest

from batch_client import BatchClient
from tests.integration.batch_client.scripted_server import Seen, says, serving
from tests.unit.batch_client.fake_service import BATCH, FILE

# Each side names its own tool; we ask for plain content, which can be continued after a cut.
OWN_HEADERS = re.compile(r"user-agent|accept-encoding|connection|host|x-stainless-.*")
ANSWER = {**FILE, **BATCH, "data": [], "has_more": False, "deleted": True}
Ours = Callable[[BatchClient], object]
Theirs = Callable[[openai.OpenAI], object]

CALLS: dict[str, tuple[Ours, Theirs]] = {
    "create": (
        lambda ours: ours.create_batch(input_file_id="f", endpoint="/v1/responses"),
        lambda theirs: theirs.batches.create(input_file_id="f", endpoint="/v1/responses", completion_window="24h"),
    ),
    "create-full": (
        lambda ours: ours.create_batch(
            input_file_id="f",
            endpoint="/v1/embeddings",
            metadata={"zwei": "2", "eins": "ü"},
            output_expires_after={"seconds": 3600, "anchor": "created_at"},
        ),
        lambda theirs: theirs.batches.create(
            input_file_id="f",
            endpoint="/v1/embeddings",
            completion_window="24h",
            metadata={"zwei": "2", "eins": "ü"},
            output_expires_after={"seconds": 3600, "anchor": "created_at"},
        ),
    ),
    "retrieve": (lambda ours: ours.retrieve_batch("batch 1/2"), lambda theirs: theirs.batches.retrieve("batch 1/2")),
    "cancel": (lambda ours: ours.cancel_batch("batch_1"), lambda theirs: theirs.batches.cancel("batch_1")),
    "list": (lambda ours: ours.list_batches(), lambda theirs: theirs.batches.list()),
    "list-page": (
        lambda ours: ours.list_batches(after="a b&c", limit=5),
        lambda theirs: theirs.batches.list(after="a b&c", limit=5),
    ),
    "upload": (
        lambda ours: ours.create_file(b"{}\n" * 1000, "a.jsonl"),
        lambda theirs: theirs.files.create(file=("a.jsonl", b"{}\n" * 1000), purpose="batch"),
    ),
    "upload-expiring": (
        lambda ours: ours.create_file(
            b"{}\n", 'a "b" ü.jsonl', expires_after={"anchor": "created_at", "seconds": 3600}
        ),
        lambda theirs: theirs.files.create(
            file=('a "b" ü.jsonl', b"{}\n"),
            purpose="batch",
            expires_after={"anchor": "created_at", "seconds": 3600},
        ),
    ),
    "file": (lambda ours: ours.retrieve_file("file-1"), lambda theirs: theirs.files.retrieve("file-1")),
    "files": (
        lambda ours: ours.list_files(purpose="batch", limit=3, order="asc", after="x"),
        lambda theirs: theirs.files.list(purpose="batch", limit=3, order="asc", after="x"),
    ),
    "delete": (lambda ours: ours.delete_file("file-1"), lambda theirs: theirs.files.delete("file-1")),
    "content": (
        lambda ours: b"".join(ours.download_file("file-1")),
        lambda theirs: theirs.files.content("file-1").read(),
    ),
}


def comparable(seen: Seen) -> tuple[object, ...]:
    """Reduce a request to what must be equal; the boundary of a multipart body is anyone's choice."""
    headers = {name: text for name, text in seen.headers.items() if not OWN_HEADERS.fullmatch(name)}
    body = seen.body
    boundary = re.fullmatch(r"multipart/form-data; boundary=(.+)", headers.get("content-type", ""))
    if boundary:
        body = body.replace(boundary[1].encode(), b"BOUNDARY")
        headers["content-type"] = "multipart/form-data; boundary=BOUNDARY"
        headers["content-length"] = str(len(body))
    return seen.method, seen.path, seen.query, headers, body


@pytest.mark.parametrize(("ours", "theirs"), CALLS.values(), ids=CALLS.keys())
def test_what_we_send_is_what_the_sdk_sends(ours: Ours, theirs: Theirs) -> None:
    with serving(says(ANSWER)) as server:
        with BatchClient("key", server.url, organization="org-1", project="proj-1") as client:
            ours(client)
        with openai.OpenAI(api_key="key", base_url=server.url, organization="org-1", project="proj-1") as sdk:
            theirs(sdk)
        mine, official = server.seen
        assert comparable(mine) == comparable(official)


@pytest.mark.parametrize(("ours", "theirs"), CALLS.values(), ids=CALLS.keys())
def test_what_we_send_to_azure_is_what_the_sdk_sends(ours: Ours, theirs: Theirs) -> None:
    with serving(says(ANSWER)) as server:
        root = server.url.removesuffix("/v1")
        with BatchClient("key", f"{root}/openai?api-version=2025-04-01-preview", profile="azure") as client:
            ours(client)
        with openai.AzureOpenAI(
            api_key="key", azure_endpoint=root, api_version="2025-04-01-preview", max_retries=0
        ) as sdk:
            theirs(sdk)
        mine, official = server.seen
        assert comparable(mine) == comparable(official)
