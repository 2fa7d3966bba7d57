"""OpenAI's own client, unchanged but for its address and key: files in, batches, files out."""

import hashlib
from pathlib import Path

import httpx
import openai
import pytest
from openai.types import FileObject

from tests.system.processes import eventually
from tests.system.running_stack import RunningStack, jsonl, request

LARGE = 4_100_000  # bytes: more than is answered inline


@pytest.fixture(scope="module")
def client(stack: RunningStack) -> openai.OpenAI:
    return openai.OpenAI(base_url=stack.doors["base_url"], api_key=stack.doors["api_key"], max_retries=0, timeout=60)


def uploaded(client: openai.OpenAI, data: bytes, name: str = "in.jsonl") -> FileObject:
    return client.files.create(file=(name, data), purpose="batch")


def test_a_file_becomes_a_batch_and_the_results_are_files(
    stack: RunningStack, client: openai.OpenAI, tmp_path: Path
) -> None:
    source = tmp_path / "Übersetzungen 📚.jsonl"
    source.write_bytes(jsonl(request(number, note="grüße") for number in range(3)))
    file = client.files.create(file=source, purpose="batch", expires_after={"anchor": "created_at", "seconds": 86_400})
    assert (file.filename, file.bytes, file.expires_at) == (
        source.name,
        source.stat().st_size,
        file.created_at + 86_400,
    )
    made = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    ended = eventually(lambda: next((b for b in [client.batches.retrieve(made.id)] if b.status == "completed"), None))
    assert ended.input_file_id == file.id
    assert ended.output_file_id is not None
    content = client.files.content(ended.output_file_id)
    key = f"results/default/{made.id}/output.jsonl"
    assert content.read() == stack.clients.s3.get_object(Bucket=stack.doors["bucket"], Key=key)["Body"].read()
    output = client.files.retrieve(ended.output_file_id)
    assert (output.purpose, output.filename, output.bytes) == (
        "batch_output",
        f"{made.id}_output.jsonl",
        len(content.read()),
    )


def test_files_come_back_byte_by_byte_small_or_large(client: openai.OpenAI) -> None:
    small = b'{"custom_id": "\xc3\xbc"}\r\n\x00\xff\xfe'
    large = b"{} \n" + bytes(range(256)) * (LARGE // 256)
    for data in (small, large):
        assert client.files.content(uploaded(client, data).id).read() == data


def test_a_large_file_is_redirected_to_a_link_that_needs_no_key(stack: RunningStack, client: openai.OpenAI) -> None:
    file = uploaded(client, b"{}\n" + b" " * LARGE)
    headers = {"Authorization": f"Bearer {stack.doors['api_key']}"}
    url = f"{stack.doors['base_url']}/files/{file.id}/content"
    sent = httpx.get(url, headers={**headers, "Accept-Encoding": "identity"})
    assert sent.status_code == 302
    assert sent.json()["url"] == sent.headers["location"]
    assert 'filename="in.jsonl"' in httpx.URL(sent.headers["location"]).params["response-content-disposition"]
    assert len(httpx.get(sent.headers["location"]).content) == file.bytes


def test_a_large_file_comes_packed_to_a_client_that_follows_no_redirect(
    stack: RunningStack, client: openai.OpenAI
) -> None:
    data = b'{"custom_id": "a"}\n' * (LARGE // 19 + 1)
    file = uploaded(client, data)
    headers = {"Authorization": f"Bearer {stack.doors['api_key']}"}
    sent = httpx.get(f"{stack.doors['base_url']}/files/{file.id}/content", headers=headers)
    assert (sent.status_code, sent.headers["content-encoding"]) == (200, "gzip")
    assert sent.content == data


def test_files_are_listed_page_by_page_and_deleted(client: openai.OpenAI) -> None:
    made = [uploaded(client, b"{}\n").id for _ in range(5)]
    listed = [file.id for file in client.files.list(limit=2, purpose="batch")]
    assert [file_id for file_id in listed if file_id in made] == made[::-1]
    assert client.files.delete(made[0]).deleted
    with pytest.raises(openai.NotFoundError) as caught:
        client.files.retrieve(made[0])
    assert (caught.value.param, caught.value.type) == ("id", "invalid_request_error")


def test_what_is_no_batch_file_is_refused_at_once(client: openai.OpenAI) -> None:
    for name, data in (("in.csv", b"{}\n"), ("in.jsonl", b"a;b\n"), ("in.jsonl", b"")):
        with pytest.raises(openai.BadRequestError):
            uploaded(client, data, name)


def test_more_than_a_form_carries_is_a_413_that_names_the_way(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="Uploads API") as caught:
        uploaded(client, b"{}\n" + b" " * 4_500_000)
    assert (caught.value.status_code, caught.value.code) == (413, "file_too_large")


def test_a_file_in_parts_is_joined_byte_by_byte(client: openai.OpenAI) -> None:
    data = jsonl(request(number, note="ü" * 500_000) for number in range(9))
    done = client.uploads.upload_file_chunked(
        file=data, filename="in.jsonl", bytes=len(data), mime_type="application/jsonl", purpose="batch",
        part_size=4_000_000, md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
    )  # fmt: skip
    assert done.status == "completed"
    assert done.file is not None
    assert client.files.content(done.file.id).read() == data


def test_a_part_beyond_what_a_form_carries_is_a_413_that_says_how(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="part_size=4_000_000") as caught:
        client.uploads.upload_file_chunked(
            file=b"{}\n" + b" " * 4_600_000,
            filename="in.jsonl",
            bytes=4_600_003,
            mime_type="application/jsonl",
            purpose="batch",
        )
    assert caught.value.status_code == 413


def test_a_file_goes_straight_to_s3_and_a_batch_takes_it(stack: RunningStack, client: openai.OpenAI) -> None:
    data = jsonl(request(number) for number in range(3))
    headers = {"Authorization": f"Bearer {stack.doors['api_key']}"}
    wanted = {"filename": "in.jsonl", "purpose": "batch", "bytes": len(data)}
    file = httpx.post(f"{stack.doors['base_url']}/uploads/presign", headers=headers, json=wanted).json()
    assert client.files.retrieve(file["id"]).status == "uploaded"
    [part] = file["upload"]["parts"]
    httpx.put(part["url"], content=data, headers=file["upload"]["headers"]).raise_for_status()
    assert httpx.put(part["url"], content=data, headers=file["upload"]["headers"]).status_code == 412
    assert client.files.retrieve(file["id"]).status == "processed"
    made = client.batches.create(input_file_id=file["id"], endpoint="/v1/chat/completions", completion_window="24h")
    assert stack.ended(made.id).status == "completed"
