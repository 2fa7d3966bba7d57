import gzip
import io
import re
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_client import (
    AuthenticationError,
    BatchClientError,
    DownloadIncomplete,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    RetryPolicy,
)
from tests.unit.batch_client.fake_service import FILE, Answer, FakeClock, Sent, Step, answer, client_of, envelope, reset

CONTENT = bytes(range(256)) * 1024
QUICK = RetryPolicy(max_retries=3)


def read(*steps: Step, retry: RetryPolicy = QUICK) -> bytes:
    client, _ = client_of(*steps, retry=retry)
    return b"".join(client.download_file("file-1"))


def ranged(content: bytes, cut: Callable[[int], int] = lambda _: 0, etag: str = '"a"') -> Callable[[Sent], Answer]:
    """Serve `content` as a service that continues; `cut(rest)` bytes of each answer are lost."""

    def serve(sent: Sent) -> Answer:
        asked = re.fullmatch(r"bytes=(\d+)-", sent.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        rest = content[start:]
        if not asked:
            return Answer(rest, headers={"etag": etag}, cut=cut(len(rest)))
        assert sent.headers["If-Range"] == etag
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Answer(rest, 206, {"content-range": span}, cut=cut(len(rest)))

    return serve


def test_a_download_asks_for_plain_bytes_and_gives_them() -> None:
    client, service = client_of(Answer(CONTENT))
    assert b"".join(client.download_file("file-1")) == CONTENT
    assert service.sent[0].url == "https://service.test/v1/files/file-1/content"
    assert service.sent[0].headers["Accept"] == "application/binary"
    assert service.sent[0].headers["Accept-Encoding"] == "identity"


def test_a_download_is_written_and_counted() -> None:
    client, _ = client_of(Answer(CONTENT))
    writer = io.BytesIO()
    assert client.download_file_to("file-1", writer) == len(CONTENT)
    assert writer.getvalue() == CONTENT


def test_an_empty_file_is_empty() -> None:
    assert read(Answer(b"")) == b""


def test_a_short_body_is_continued() -> None:
    assert read(ranged(CONTENT, cut=lambda rest: rest // 2 if rest > 50_000 else 0)) == CONTENT


def test_a_short_body_is_started_again_where_the_service_does_not_continue() -> None:
    client, service = client_of(Answer(CONTENT, cut=1000), Answer(CONTENT))
    assert b"".join(client.download_file("file-1")) == CONTENT
    assert service.sent[1].headers["Range"] == f"bytes={len(CONTENT) - 1000}-"


def test_a_range_that_cannot_be_satisfied_is_started_again() -> None:
    client, service = client_of(Answer(CONTENT, cut=1), Answer(b"", 416), Answer(CONTENT))
    assert b"".join(client.download_file("file-1")) == CONTENT
    assert "Range" not in service.sent[2].headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-range": "bytes 0-9/10"},
        {"content-range": f"bytes {len(CONTENT) - 1}-{len(CONTENT)}/{len(CONTENT)}", "content-encoding": "gzip"},
        {"content-range": "pages 1-2/3"},
    ],
)
def test_a_continuation_that_is_not_what_was_asked_is_started_again(headers: dict[str, str]) -> None:
    assert read(Answer(CONTENT, cut=1), Answer(b"x", 206, headers), Answer(CONTENT)) == CONTENT


def test_a_continuation_nobody_asked_for_is_refused() -> None:
    span = {"content-range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}
    with pytest.raises(DownloadIncomplete):
        read(Answer(CONTENT, 206, span))


def test_a_continuation_of_a_content_of_unknown_size_is_started_again() -> None:
    chunked = {"transfer-encoding": "chunked"}
    broken = Answer(gzip.compress(CONTENT), headers={**chunked, "content-encoding": "gzip"}, cut=50)
    assert read(broken, Answer(CONTENT)) == CONTENT


def test_other_content_on_starting_again_is_refused() -> None:
    with pytest.raises(ProtocolError):
        read(Answer(CONTENT, cut=1000), Answer(b"x" * len(CONTENT)))
    with pytest.raises(ProtocolError):
        read(Answer(CONTENT, cut=1000), Answer(CONTENT + b"x"))
    with pytest.raises(ProtocolError):
        read(
            Answer(CONTENT, cut=1),
            Answer(b"x", 206, {"content-range": f"bytes {len(CONTENT) - 1}-{len(CONTENT)}/{len(CONTENT) + 5}"}),
        )


def test_a_shorter_content_on_starting_again_is_refused() -> None:
    def stored(content: bytes, cut: int) -> Answer:
        return Answer(gzip.compress(content, 0), headers={"content-encoding": "gzip"}, length=False, cut=cut)

    with pytest.raises(DownloadIncomplete):
        read(stored(CONTENT, 100_000), stored(CONTENT[:1000], 0))


def test_a_download_that_stays_short_raises_after_what_it_gave() -> None:
    client, service = client_of(ranged(CONTENT, cut=lambda rest: min(rest, 1000)), retry=RetryPolicy(max_retries=2))
    writer = io.BytesIO()
    with pytest.raises(DownloadIncomplete) as caught:
        client.download_file_to("file-1", writer)
    assert caught.value.retryable
    assert writer.getvalue() == CONTENT[:-1000]
    assert len(service.sent) == 3


def test_progress_starts_the_count_of_retries_anew() -> None:
    content = CONTENT * 5
    assert read(ranged(content, cut=lambda rest: max(0, rest - 70_000)), retry=RetryPolicy(max_retries=1)) == content


def test_a_body_without_length_is_measured_by_the_files_description() -> None:
    described = answer({**FILE, "bytes": len(CONTENT)})
    assert read(Answer(CONTENT, length=False), described) == CONTENT
    cut = Answer(CONTENT, length=False, cut=5)
    assert read(cut, described, Answer(CONTENT, length=False)) == CONTENT


@pytest.mark.parametrize("size", [None, 0, 3])
def test_a_body_that_nothing_proves_whole_is_refused(size: int | None) -> None:
    with pytest.raises(DownloadIncomplete) as caught:
        read(Answer(CONTENT, length=False), answer({**FILE, "bytes": size}))
    assert caught.value.retryable is False


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate"])
@pytest.mark.parametrize("length", [True, False])
def test_a_compressed_body_is_inflated(encoding: str, length: bool) -> None:
    content = CONTENT * 4  # more than one piece of what a chunk inflates to
    body = zlib.compress(content) if encoding == "deflate" else gzip.compress(content)
    assert read(Answer(body, headers={"content-encoding": encoding}, length=length)) == content


def test_gzip_streams_one_after_the_other_are_inflated() -> None:
    body = gzip.compress(CONTENT[:1000]) + gzip.compress(CONTENT[1000:])
    assert read(Answer(body, headers={"content-encoding": "gzip"})) == CONTENT


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("cut", [1, 8, 500])
def test_a_short_compressed_body_is_started_again(length: bool, cut: int) -> None:
    body = gzip.compress(CONTENT)
    headers = {"content-encoding": "gzip"}
    client, service = client_of(
        Answer(body, headers=headers, length=length, cut=cut), Answer(body, headers=headers, length=length)
    )
    assert b"".join(client.download_file("file-1")) == CONTENT
    assert "Range" not in service.sent[1].headers


def test_a_compressed_body_of_nothing_is_not_taken_for_an_empty_file() -> None:
    with pytest.raises(DownloadIncomplete):
        read(Answer(b"", headers={"content-encoding": "gzip"}, length=False), answer(FILE), Answer(b"", length=False))


def test_a_garbled_compressed_body_is_an_error() -> None:
    with pytest.raises(ProtocolError):
        read(Answer(b"not gzip at all", headers={"content-encoding": "gzip"}))


def test_an_encoding_that_was_not_asked_for_is_an_error() -> None:
    with pytest.raises(ProtocolError):
        read(Answer(b"x", headers={"content-encoding": "br"}))


def test_errors_before_the_first_byte_are_what_the_service_says() -> None:
    with pytest.raises(NotFoundError):
        read(answer(envelope(None), 404))
    with pytest.raises(RateLimitError):
        read(answer(envelope(None), 429))
    with pytest.raises(DownloadIncomplete):
        read(reset())


def test_a_refusal_on_the_way_is_what_the_service_says() -> None:
    with pytest.raises(AuthenticationError):
        read(Answer(CONTENT, cut=1), answer(envelope("invalid_api_key"), 401))


def test_a_download_waits_between_its_answers() -> None:
    clock = FakeClock()
    client, _ = client_of(
        Answer(CONTENT, cut=len(CONTENT)), answer({}, 503, {"retry-after": "9"}), Answer(CONTENT), clock=clock
    )
    assert b"".join(client.download_file("file-1")) == CONTENT
    assert clock.slept == [0.25, 9.5]


def test_a_redirect_to_another_host_is_followed_without_key_or_organisation() -> None:
    client, service = client_of(
        Answer(b"", 302, {"location": "https://storage.test/x?signed=1"}), Answer(CONTENT), profile="azure"
    )
    assert b"".join(client.download_file("file-1")) == CONTENT
    assert "api-key" in service.sent[0].headers
    assert service.sent[1].url == "https://storage.test/x?signed=1"
    assert not {name.lower() for name in service.sent[1].headers} & {"api-key", "authorization"}


def test_a_redirect_at_home_keeps_the_key() -> None:
    client, service = client_of(Answer(b"", 307, {"location": "/elsewhere"}), Answer(CONTENT))
    assert b"".join(client.download_file("file-1")) == CONTENT
    assert service.sent[1].url == "https://service.test/elsewhere"
    assert "Authorization" in service.sent[1].headers


@pytest.mark.parametrize(
    "location", ["", "http://storage.test/x", "ftp://storage.test/x", "http://[", "https://u:p@storage.test"]
)
def test_a_redirect_to_nowhere_or_off_https_is_refused(location: str) -> None:
    client, service = client_of(Answer(b"", 302, {"location": location}))
    with pytest.raises(ProtocolError):
        b"".join(client.download_file("file-1"))
    assert len(service.sent) == 1


def test_redirects_without_end_are_given_up() -> None:
    client, service = client_of(Answer(b"", 302, {"location": "/again"}))
    with pytest.raises(ProtocolError):
        b"".join(client.download_file("file-1"))
    assert len(service.sent) == 6


framing = st.sampled_from(["length", "none", "gzip", "gzip-length"])


@settings(max_examples=150, deadline=None)
@given(data=st.data(), content=st.binary(max_size=400), ranges=st.booleans())
def test_any_split_of_a_download_is_reassembled_or_refused(data: st.DataObject, content: bytes, ranges: bool) -> None:
    def serve(sent: Sent) -> Answer:
        if not sent.url.endswith("/content"):
            return answer({**FILE, "bytes": len(content)})
        start = int(sent.headers["Range"][6:-1]) if ranges and "Range" in sent.headers else 0
        kind = "length" if start else data.draw(framing)
        body = gzip.compress(content) if kind.startswith("gzip") else content[start:]
        headers = {"content-encoding": "gzip"} if kind.startswith("gzip") else {}
        if start:
            headers["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        status = 206 if start else 200
        return Answer(body, status, headers, kind.endswith("length"), data.draw(st.integers(0, len(body))))

    client, _ = client_of(serve, retry=RetryPolicy(max_retries=2))
    given_bytes = bytearray()
    try:
        for chunk in client.download_file("file-1"):
            given_bytes += chunk
    except BatchClientError:
        assert content.startswith(bytes(given_bytes))
    else:
        assert bytes(given_bytes) == content
