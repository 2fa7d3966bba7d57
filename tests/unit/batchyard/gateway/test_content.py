"""Content comes packed where the client unpacks by itself, so that what is large unpacked needs no redirect."""

import gzip
import random
import zlib

import pytest

from batchyard.api import batches, files
from batchyard.api.files import MOST_INLINE
from batchyard.domain import object_keys
from batchyard.domain.stored_file import disposition
from batchyard.gateway import content
from batchyard.gateway.content import takes_gzip
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.services import MemoryServices
from tests.unit.batchyard.api.test_files import create

LARGE = b'{"custom_id": "a", "response": {"body": {"choices": []}}}\n' * (8_000_000 // 58)  # 8 MB


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


def stored(services: MemoryServices, data: bytes) -> str:
    """Keep a file that came in parts."""
    file_id = str(create(services)["id"])
    services.file_store.change(file_id, bytes=len(data))
    services.bucket.put(f"files/default/{file_id}", data)
    return file_id


@pytest.mark.parametrize(
    "header", ["gzip", "gzip, deflate, br", "br;q=1, GZIP ;q=0.5", "*", "x-gzip", "deflate, *;q=0.1"]
)
def test_who_takes_gzip_is_given_it(header: str) -> None:
    assert takes_gzip(header)


@pytest.mark.parametrize(
    "header", [None, "", "identity", "br", "gzip;q=0", "gzip; q=0.0", "*;q=0", "gzip;q=0, *", "zip"]
)
def test_who_does_not_is_not(header: str | None) -> None:
    assert not takes_gzip(header)


def test_a_large_file_that_is_small_packed_comes_packed(services: MemoryServices) -> None:
    found = files.file_content(services, "default", stored(services, LARGE), gzip=True)
    assert (found.packed, found.url, found.filename) == (True, None, "in.jsonl")
    assert gzip.decompress(found.data or b"") == LARGE


def test_a_client_that_does_not_unpack_is_sent_elsewhere(services: MemoryServices) -> None:
    file_id = stored(services, LARGE)
    found = files.file_content(services, "default", file_id)
    assert (found.data, found.packed) == (None, False)
    assert (found.url or "").endswith(f"/files/default/{file_id}")


def test_a_small_file_comes_as_it_is(services: MemoryServices) -> None:
    data = b"{}\n" * (MOST_INLINE // 3)
    found = files.file_content(services, "default", stored(services, data), gzip=True)
    assert (found.data, found.packed) == (data, False)


def test_what_does_not_pack_well_is_elsewhere_and_is_not_read_to_its_end(services: MemoryServices) -> None:
    data = random.Random(7).randbytes(3 * MOST_INLINE)  # noqa: S311 - bytes that do not pack
    pieces = 0
    whole = services.bucket.chunks

    def counted(*arguments: object) -> object:
        nonlocal pieces
        for piece in whole(*arguments):  # type: ignore[arg-type]
            pieces += 1
            yield piece

    services.bucket.chunks = counted  # type: ignore[method-assign,assignment]
    found = files.file_content(services, "default", stored(services, data), gzip=True)
    assert (found.data, found.packed) == (None, False)
    assert found.url is not None
    assert 0 < pieces * services.bucket.chunk < 2 * MOST_INLINE


def test_what_is_too_large_to_try_is_not_read_at_all(services: MemoryServices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MOST_READ", len(LARGE) - 1)
    found = files.file_content(services, "default", stored(services, LARGE), gzip=True)
    assert (found.data, services.bucket.reads) == (None, [])


def test_packed_content_fits_what_lambda_answers_in_base64() -> None:
    assert batches.MOST_PACKED * 4 / 3 + 20_000 < 6 * 2**20


def test_a_large_report_comes_packed_too(services: MemoryServices) -> None:
    services.batch_store.create_batch(batch())
    data = b'{"lines": 1}' + b" " * 3_000_000
    services.bucket.put(object_keys.result("default", BATCH_ID, "report.json"), data)
    found = batches.batch_report(services, "default", BATCH_ID, gzip=True)
    assert zlib.decompress(found.data or b"", wbits=31) == data
    assert (found.packed, found.filename) == (True, f"{BATCH_ID}_report.json")
    assert batches.batch_report(services, "default", BATCH_ID).url is not None


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("a.jsonl", "attachment; filename=\"a.jsonl\"; filename*=UTF-8''a.jsonl"),
        ("my ä.jsonl", "attachment; filename=\"my _.jsonl\"; filename*=UTF-8''my%20%C3%A4.jsonl"),
        ('a"\r\nb: c/\\%', "attachment; filename=\"a___b: c___\"; filename*=UTF-8''a%22%0D%0Ab%3A%20c%2F%5C%25"),
        ("\ud800", "attachment; filename=\"_\"; filename*=UTF-8''%3F"),
    ],
)
def test_a_name_is_quoted_so_that_it_stays_one_header(filename: str, header: str) -> None:
    assert disposition(filename) == header
