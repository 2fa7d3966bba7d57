import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from batch_client import (
    ByteRanges,
    ExpiresAfter,
    InvalidArgumentError,
    NotFoundError,
    Profile,
    Source,
    SourceError,
    UploadOutcomeUnknown,
)
from tests.unit.batch_client.fake_service import FILE, Answer, Step, answer, client_of, envelope, page, refused, reset


class Lines:
    """Be a source that counts how often it is read."""

    def __init__(self, *lines: bytes, says: int | None = None) -> None:
        self.lines = lines
        self.says = sum(map(len, lines)) if says is None else says
        self.read = 0

    def __len__(self) -> int:
        return self.says

    def __iter__(self) -> Iterator[bytes]:
        self.read += 1
        yield from self.lines


def file_part(body: bytes) -> bytes:
    return body.split(b"application/octet-stream\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]


def test_an_upload_is_one_multipart_request_of_exactly_the_length_it_says() -> None:
    client, service = client_of(answer(FILE))
    client.create_file(b"abc", 'a"b\r\n.jsonl', expires_after=ExpiresAfter(3600))
    sent = service.sent[0]
    boundary = sent.headers["Content-Type"].removeprefix("multipart/form-data; boundary=")
    assert int(sent.headers["Content-Length"]) == len(sent.body)
    assert "Transfer-Encoding" not in sent.headers
    assert sent.body.decode() == (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="expires_after[anchor]"\r\n\r\ncreated_at\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="expires_after[seconds]"\r\n\r\n3600\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a%22b%0D%0A.jsonl"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\nabc\r\n--{boundary}--\r\n"
    )


def test_every_kind_of_source_sends_the_same_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 3000
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    halves = ByteRanges(
        lambda start, length: [content[start : start + length]], [(0, 1000), (1000, len(content) - 1000)]
    )
    with path.open("rb") as file, tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(content)
        spooled.seek(0)
        sources = [path, content, memoryview(content), bytearray(content), file, io.BytesIO(content), halves, spooled]
        for source in [*sources, Lines(*(content[i : i + 100] for i in range(0, len(content), 100)))]:
            client, service = client_of(answer(FILE))
            client.create_file(source, "a.jsonl")  # type: ignore[arg-type]  # a mixed list has no common type
            assert file_part(service.sent[0].body) == content


def test_an_open_file_is_sent_from_where_it_stands_and_again_from_there() -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    client, service = client_of(refused(), answer(FILE))
    client.create_file(file, "a.jsonl")
    assert [file_part(sent.body) for sent in service.sent] == [b"456789"] * 2


def test_the_purpose_is_the_services_own_word() -> None:
    client, service = client_of(answer(FILE), base_url="https://api.together.ai/v1")
    client.create_file(b"abc", "a.jsonl")
    assert b'name="purpose"\r\n\r\nbatch-api\r\n' in service.sent[0].body


@pytest.mark.parametrize(
    "bad",
    ["text", ["a"], ("a",), {b"a"}, {"a": 1}, iter([b"a"]), (c for c in [b"a"]), 7, None, Path("/does/not/exist")],
    ids=lambda bad: type(bad).__name__,
)
def test_a_source_without_a_length_in_bytes_or_a_second_reading_is_refused(bad: object) -> None:
    client, service = client_of(answer(FILE))
    with pytest.raises(InvalidArgumentError):
        client.create_file(bad, "a.jsonl")  # type: ignore[arg-type]  # that is the point
    assert service.sent == []


def test_a_file_that_cannot_seek_is_refused() -> None:
    class Pipe(io.RawIOBase):
        def readable(self) -> bool:
            return True

    with pytest.raises(InvalidArgumentError):
        client_of(answer(FILE))[0].create_file(Pipe(), "a.jsonl")  # type: ignore[arg-type]  # that is the point


def test_an_expiry_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidArgumentError):
        client_of(answer(FILE))[0].create_file(b"a", "a.jsonl", expires_after={"seconds": "soon"})


@pytest.mark.parametrize(
    "source", [Lines(b"abc", says=2), Lines(b"abc", says=4), Lines(says=1)], ids=["longer", "shorter", "empty"]
)
def test_a_source_of_another_length_than_it_says_breaks_the_request_off(source: Source) -> None:
    client, _ = client_of(answer(FILE))
    with pytest.raises(SourceError) as caught:
        client.create_file(source, "a.jsonl")
    assert caught.value.retryable is False


def test_a_source_that_breaks_is_a_source_error_with_its_cause() -> None:
    class Broken(Lines):
        def __iter__(self) -> Iterator[bytes]:
            yield b"a"
            raise OSError("the disk is gone")

    client, _ = client_of(answer(FILE))
    with pytest.raises(SourceError) as caught:
        client.create_file(Broken(b"abc"), "a.jsonl")
    assert caught.value.retryable
    assert isinstance(caught.value.__cause__, OSError)


def test_a_source_of_text_is_a_source_error() -> None:
    client, _ = client_of(answer(FILE))
    with pytest.raises(SourceError):
        client.create_file(io.StringIO("abc"), "a.jsonl")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("lost", [reset(), Answer(b"", 502), Answer(b"<html>", 200), answer({})])
def test_an_upload_whose_answer_is_lost_is_sent_once(lost: Step) -> None:
    source = Lines(b"abc")
    client, service = client_of(lost)
    with pytest.raises(UploadOutcomeUnknown) as caught:
        client.create_file(source, "a.jsonl")
    assert (len(service.sent), source.read, caught.value.retryable) == (1, 1, True)


def test_deleting_reports_what_the_service_says() -> None:
    client, _ = client_of(answer({"id": "file-1", "object": "file", "deleted": True}), Answer(b"", 204))
    assert client.delete_file("file-1").deleted
    assert client.delete_file("file-1").deleted


def test_a_delete_whose_answer_was_lost_finds_the_file_gone_and_has_succeeded() -> None:
    client, _ = client_of(reset(), answer(envelope(None), 404))
    assert client.delete_file("file-1").deleted


def test_deleting_what_never_was_is_not_found() -> None:
    client, _ = client_of(answer(envelope(None), 404))
    with pytest.raises(NotFoundError):
        client.delete_file("file-1")


def test_files_are_listed_and_walked() -> None:
    client, service = client_of(answer(page(FILE, has_more=True)), answer(page({**FILE, "id": "file-2"})))
    assert [file.id for file in client.iter_files(purpose="batch", limit=1)] == [FILE["id"], "file-2"]
    assert service.sent[1].url == f"https://service.test/v1/files?purpose=batch&limit=1&after={FILE['id']}"
    assert client.list_files(order="asc").data[0].filename == "requests.jsonl"


def test_a_walk_can_begin_behind_a_file_and_asks_for_its_purpose_in_the_service_s_own_word() -> None:
    client, service = client_of(answer(page(FILE)), profile=Profile(name="odd", purposes={"batch": "batch-api"}))
    assert [file.id for file in client.iter_files(purpose="batch", after="file-0")] == [FILE["id"]]
    assert service.sent[0].url == "https://service.test/v1/files?purpose=batch-api&limit=1000&after=file-0"


def test_every_form_with_http_info_gives_status_and_headers() -> None:
    client, _ = client_of(answer({**FILE, **page(FILE)}, headers={"x-request-id": "req_1"}))
    for info in (
        client.create_file_with_http_info(b"a", "a.jsonl"),
        client.retrieve_file_with_http_info("file-1"),
        client.list_files_with_http_info(),
        client.delete_file_with_http_info("file-1"),
    ):
        assert (info.status, info.request_id) == (200, "req_1")
    content = client.download_file_with_http_info("file-1")
    assert content.request_id == "req_1"
    assert b"".join(content.data).startswith(b"{")
