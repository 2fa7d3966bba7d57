"""The client over real sockets: what a connection, a proxy or a slow server does that no fake can."""

import gzip
import re
import socket
import time
from collections.abc import Iterator

import pytest
import requests

from batch_client import (
    APIConnectionError,
    APITimeoutError,
    BadRequestError,
    BatchClient,
    CreateOutcomeUnknown,
    DownloadIncomplete,
    ProtocolError,
    RetryPolicy,
    ServerError,
    SourceError,
    UploadOutcomeUnknown,
)
from tests.integration.batch_client.scripted_server import (
    ScriptedServer,
    Step,
    Wire,
    chunks,
    dribbles,
    plays,
    resets,
    resets_in_body,
    says,
    serving,
    until_close,
)
from tests.unit.batch_client.fake_service import BATCH, FILE, KEY, FakeClock

CONTENT = bytes(range(256)) * 800
HTML = b"<html><body><h1>Bad gateway</h1></body></html>"


def client_of(server: ScriptedServer, timeout: float = 5.0, clock: FakeClock | None = None) -> BatchClient:
    retry = RetryPolicy(max_retries=3, floor=0.001, ceiling=0.002)
    if clock:
        return BatchClient(KEY, server.url, timeout=timeout, retry=retry, clock=clock)
    return BatchClient(KEY, server.url, timeout=timeout, retry=retry)


def create(client: BatchClient) -> str:
    return client.create_batch(input_file_id="file-1", endpoint="/v1/responses").id


def continues(wire: Wire) -> None:
    """Serve CONTENT like a service that knows ranges."""
    seen = wire.take()
    asked = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("range", ""))
    start = int(asked[1]) if asked else 0
    span = f"Content-Range: bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
    head = ["HTTP/1.1 206 Partial Content", span] if asked else ["HTTP/1.1 200 OK"]
    wire.send(*head, f"Content-Length: {len(CONTENT) - start}", body=CONTENT[start:])


def test_polls_share_one_connection() -> None:
    with serving(says(BATCH)) as server, client_of(server) as client:
        for _ in range(10):
            client.retrieve_batch("batch_1")
        assert len({seen.connection for seen in server.seen}) == 1


@pytest.mark.parametrize("by_proxy", [False, True], ids=["straight", "by a proxy"])
def test_a_connection_that_is_long_silent_is_probed_by_the_kernel(
    by_proxy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []
    connect = socket.socket.connect

    def connecting(self: socket.socket, address: object) -> None:
        opened.append(self)
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connecting)
    with serving(says(BATCH)) as server, client_of(server) as client:
        if by_proxy:
            monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
            monkeypatch.setenv("NO_PROXY", "")
        client.retrieve_batch("batch_1")
        options = [
            (
                each.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                each.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            )
            for each in opened
        ]
    assert options == [(1, 60)]


def test_a_post_after_a_pause_comes_over_a_new_connection() -> None:
    clock = FakeClock()
    with serving(says(BATCH)) as server, client_of(server, clock=clock) as client:
        create(client)
        create(client)
        clock.now += 60
        create(client)
        first, second, third = [seen.connection for seen in server.seen]
        assert first == second != third


@pytest.mark.parametrize("lost", [resets, plays(b"", length=10), plays(HTML, 502), plays(HTML), until_close(b'{"id":')])
def test_a_create_whose_answer_is_lost_reaches_the_service_once(lost: Step) -> None:
    with serving(lost) as server, client_of(server) as client:
        with pytest.raises(CreateOutcomeUnknown):
            create(client)
        assert len(server.seen) == 1


def test_a_lost_create_is_found_again_by_its_metadata() -> None:
    made = {**BATCH, "metadata": {"key": "shard-7"}}
    with serving(resets, says({"object": "list", "data": [made], "has_more": False})) as server:
        with client_of(server) as client:
            with pytest.raises(CreateOutcomeUnknown):
                client.create_batch(input_file_id="f", endpoint="/v1/responses", metadata={"key": "shard-7"})
            found = client.find_batch("key", "shard-7", since=0)
        assert found is not None
        assert found.id == BATCH["id"]
        assert [seen.method for seen in server.seen] == ["POST", "GET"]


def test_the_key_is_not_in_the_causes_of_an_error() -> None:
    with serving(resets) as server, client_of(server) as client, pytest.raises(CreateOutcomeUnknown) as caught:
        create(client)
    causes: list[BaseException | None] = [caught.value]
    while causes[-1] is not None:
        causes.append(causes[-1].__cause__ or causes[-1].__context__)
    requests_sent = [cause.request for cause in causes if isinstance(cause, requests.RequestException)]
    assert requests_sent
    assert all(KEY not in str(vars(request)) for request in requests_sent)


def test_a_create_that_is_answered_too_late_is_unknown() -> None:
    def late(wire: Wire) -> None:
        wire.take()
        time.sleep(0.5)

    with serving(late) as server, client_of(server, timeout=0.1) as client:
        with pytest.raises(CreateOutcomeUnknown):
            create(client)
        assert len(server.seen) == 1


def test_a_refused_connection_is_known_to_have_sent_nothing() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        retry = RetryPolicy(max_retries=1, floor=0.001)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        with BatchClient(KEY, url, retry=retry) as client, pytest.raises(APIConnectionError) as caught:
            create(client)
    assert (caught.value.sent, caught.value.retryable, caught.value.attempts) == (False, True, 2)


def test_reads_survive_resets_short_answers_and_pages_of_a_proxy() -> None:
    short = plays(b'{"id": "batch', length=500)
    steps = [resets, short, plays(HTML, 503, "Content-Type: text/html"), says(BATCH)]
    with serving(*steps) as server, client_of(server) as client:
        assert client.retrieve_batch("batch_1").id == BATCH["id"]
        assert len(server.seen) == 4


def test_a_page_of_a_proxy_is_a_clear_error() -> None:
    page = plays(HTML, 502, "Content-Type: text/html", "X-Request-Id: req_1")
    with serving(page) as server, client_of(server) as client, pytest.raises(ServerError) as caught:
        client.retrieve_batch("batch_1")
    assert str(caught.value) == ("The answer is not JSON but text/html: Bad gateway (status 502, request id req_1)")


def test_a_compressed_answer_is_read() -> None:
    body = gzip.compress(b'{"id": "batch_1", "status": "completed"}')
    with serving(plays(body, 200, "Content-Encoding: gzip")) as server, client_of(server) as client:
        assert client.retrieve_batch("batch_1").ended


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: many",
        "Content-Length: 5, 6",
        "Content-Encoding: gzip",
        "Transfer-Encoding: chunked",
        "Location: http://[",
    ],
)
def test_broken_headers_are_our_errors(head: str) -> None:
    def step(wire: Wire) -> None:
        wire.take()
        wire.send("HTTP/1.1 302 Found" if "Location" in head else "HTTP/1.1 200 OK", head, body=b"garbled")
        wire.hang_up()

    with serving(step) as server, client_of(server) as client:
        with pytest.raises((ProtocolError, APIConnectionError)):
            client.retrieve_batch("batch_1")
        with pytest.raises((CreateOutcomeUnknown, ProtocolError)):
            create(client)


def test_what_is_not_http_is_our_error() -> None:
    def step(wire: Wire) -> None:
        wire.take()
        wire.wfile.write(b"SSH-2.0-made-up\r\n")
        wire.hang_up()

    with serving(step) as server, client_of(server) as client, pytest.raises(APIConnectionError):
        client.retrieve_batch("batch_1")


def test_an_answer_that_dribbles_past_the_total_is_given_up() -> None:
    retry = RetryPolicy(max_retries=0, total=0.2)
    with serving(dribbles(b" " * 1000, 0.02)) as server, BatchClient(KEY, server.url, retry=retry) as client:
        started = time.monotonic()
        with pytest.raises(APITimeoutError):
            client.retrieve_batch("batch_1")
        assert time.monotonic() - started < 3


class Lines:
    """Give `count` lines of 500 bytes, from the first each time."""

    def __init__(self, count: int, says: int | None = None) -> None:
        self.count = count
        self.says = count * 500 if says is None else says
        self.read = 0

    def __len__(self) -> int:
        return self.says

    def __iter__(self) -> Iterator[bytes]:
        self.read += 1
        for number in range(self.count):
            yield b"%0499d\n" % number


def test_an_upload_arrives_whole_under_one_exact_length() -> None:
    with serving(says(FILE)) as server, client_of(server) as client:
        assert client.create_file(Lines(10_000), "a.jsonl").id == FILE["id"]
        seen = server.seen[0]
        assert "transfer-encoding" not in seen.headers
        assert seen.body.count(b"\n") > 10_000
        assert b"".join(Lines(10_000)) in seen.body


def test_an_upload_that_is_refused_early_says_why() -> None:
    def refuse(wire: Wire) -> None:
        body = b'{"error": {"message": "too large", "code": null}}'
        wire.send("HTTP/1.1 413 Too Large", "Connection: close", f"Content-Length: {len(body)}", body=body)
        wire.rfile.read(8_000_000)  # what was on its way: unread, it would turn the answer into a RST
        wire.hang_up()

    with serving(refuse) as server, client_of(server) as client, pytest.raises(BadRequestError, match="too large"):
        client.create_file(Lines(8_000), "a.jsonl")


def test_an_upload_may_wait_longer_than_a_connection_may_take() -> None:
    def busy(wire: Wire) -> None:
        time.sleep(0.4)
        says(FILE)(wire)

    with serving(busy) as server, BatchClient(KEY, server.url, timeout=(0.1, 5.0)) as client:
        assert client.create_file(Lines(20_000), "a.jsonl").id == FILE["id"]


def test_an_upload_whose_answer_is_lost_reaches_the_service_once() -> None:
    source = Lines(10)
    with serving(resets) as server, client_of(server) as client:
        with pytest.raises(UploadOutcomeUnknown):
            client.create_file(source, "a.jsonl")
        assert (len(server.seen), source.read) == (1, 1)


@pytest.mark.parametrize(("count", "says_bytes"), [(10, 4_999), (10, 5_001), (2_000, 100), (2_000, 1_000_001)])
def test_a_source_of_another_length_never_makes_a_whole_request(count: int, says_bytes: int) -> None:
    with serving(says(FILE)) as server, client_of(server) as client:
        with pytest.raises(SourceError):
            client.create_file(Lines(count, says=says_bytes), "a.jsonl")
        assert create(client) == FILE["id"]  # the client still works, over a new connection
        whole = [seen for seen in server.seen if len(seen.body) == int(seen.headers["content-length"])]
        assert [seen.path for seen in whole] == ["/v1/batches"]


FILE_OF_CONTENT = {**FILE, "bytes": len(CONTENT)}
HALF = len(CONTENT) // 2


@pytest.mark.parametrize(
    "steps",
    [
        [plays(CONTENT)],
        [chunks(CONTENT)],
        [until_close(CONTENT), says(FILE_OF_CONTENT)],
        [plays(CONTENT[:HALF], length=len(CONTENT)), continues],
        [plays(CONTENT[:HALF], length=len(CONTENT)), plays(CONTENT)],
        [plays(CONTENT[:HALF], length=len(CONTENT)), plays(CONTENT[:10], length=len(CONTENT)), plays(CONTENT)],
        [resets_in_body(CONTENT[:HALF], len(CONTENT)), continues],
        [resets, plays(HTML, 503), continues],
        [chunks(CONTENT[:HALF], whole=False), chunks(CONTENT)],
        [until_close(CONTENT[:HALF]), says(FILE_OF_CONTENT), continues],
        [until_close(CONTENT[:HALF]), says(FILE_OF_CONTENT), until_close(CONTENT)],
        [plays(gzip.compress(CONTENT), 200, "Content-Encoding: gzip")],
        [until_close(gzip.compress(CONTENT), "Content-Encoding: gzip")],
        [until_close(gzip.compress(CONTENT)[:-4], "Content-Encoding: gzip"), plays(CONTENT)],
        [until_close(b"", "Content-Encoding: gzip"), says(FILE_OF_CONTENT), plays(CONTENT)],
        [plays(gzip.compress(CONTENT)[:50], 200, "Content-Encoding: gzip", length=1234), plays(CONTENT)],
    ],
    ids=lambda steps: str(len(steps)),
)
def test_a_download_is_whole_however_it_breaks(steps: list[Step]) -> None:
    with serving(*steps) as server, client_of(server) as client:
        assert b"".join(client.download_file("file-1")) == CONTENT


@pytest.mark.parametrize(
    "steps",
    [
        [plays(CONTENT[:HALF], length=len(CONTENT))],
        [chunks(CONTENT[:HALF], whole=False)],
        [until_close(CONTENT[:HALF]), says(FILE_OF_CONTENT), until_close(CONTENT[:HALF])],
        [until_close(CONTENT), says({**FILE, "bytes": None})],
        [until_close(gzip.compress(CONTENT)[:-4], "Content-Encoding: gzip")],
        [resets],
    ],
)
def test_a_download_that_stays_short_is_refused(steps: list[Step]) -> None:
    with serving(*steps) as server, client_of(server) as client, pytest.raises(DownloadIncomplete):
        b"".join(client.download_file("file-1"))


def test_a_continuation_that_does_not_say_how_much_there_is_in_all_is_not_taken_for_the_rest() -> None:
    content = CONTENT * 3

    def some_more(wire: Wire) -> None:
        start = int(wire.take().headers["range"].removeprefix("bytes=").removesuffix("-"))
        span = f"Content-Range: bytes {start}-{start + 999}/*"
        wire.send("HTTP/1.1 206 Partial Content", span, "Content-Length: 1000", body=content[start : start + 1000])

    cut = chunks(content[:-1000], whole=False)
    with serving(cut, some_more, chunks(content)) as server, client_of(server) as client:
        assert b"".join(client.download_file("file-1")) == content
        assert [seen.headers.get("range") for seen in server.seen] == [None, "bytes=524288-", None]


def test_a_download_that_dribbles_is_whole() -> None:
    with serving(dribbles(b"0123456789", 0.01)) as server, client_of(server, timeout=0.5) as client:
        assert b"".join(client.download_file("file-1")) == b"0123456789"


def test_a_download_that_stalls_is_continued() -> None:
    def stalls(wire: Wire) -> None:
        wire.take()
        wire.send("HTTP/1.1 200 OK", f"Content-Length: {len(CONTENT)}", body=CONTENT[:HALF])
        time.sleep(0.5)
        wire.hang_up()

    with serving(stalls, continues) as server, client_of(server, timeout=0.1) as client:
        assert b"".join(client.download_file("file-1")) == CONTENT


def test_a_download_that_is_not_read_to_its_end_lets_its_connection_go() -> None:
    with serving(plays(CONTENT), says(BATCH)) as server, client_of(server) as client:
        chunks_of_it = client.download_file("file-1")
        next(chunks_of_it)
        del chunks_of_it
        assert client.retrieve_batch("batch_1").id == BATCH["id"]


def test_a_redirect_to_storage_is_followed_without_the_key() -> None:
    with serving(plays(CONTENT)) as storage:
        moved = plays(b"", 302, f"Location: http://127.0.0.1:{storage.server_port}/signed?x=1")
        with serving(moved) as server, BatchClient(KEY, server.url, organization="org-1", project="proj-1") as client:
            assert b"".join(client.download_file("file-1")) == CONTENT
            assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
            assert server.seen[0].headers["openai-organization"] == "org-1"
        assert not {"authorization", "openai-organization", "openai-project"} & set(storage.seen[0].headers)
        assert KEY not in str(storage.seen[0])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_other_call_follows_a_redirect_to_another_host(status: int) -> None:
    with serving(says(BATCH)) as other:
        moved = plays(b"", status, f"Location: {other.url}/batches/batch_1")
        with serving(moved) as server, client_of(server) as client:
            with pytest.raises(ProtocolError):
                client.retrieve_batch("batch_1")
            with pytest.raises(ProtocolError):
                create(client)
            with pytest.raises(ProtocolError):
                client.delete_file("file-1")
        assert other.seen == []
