"""Large objects of the engine's S3: on disk, and to its clients as if they were in memory."""

import base64
import hashlib
import http.client
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from batchyard.adapters.aws import S3
from local import engine
from local.stack.clients import Clients
from local.stack.start import await_engine, start_engine
from tests.integration.local.engine.probe.running import eventually

MIB = 1 << 20
DATA = b"".join(number.to_bytes(4, "big") for number in range(3 * MIB + 3_000))
BUCKET = "large"
CUT = 5 * MIB + 1


class Store:
    """An engine with one versioned bucket, and where it keeps what is in it."""

    def __init__(self, clients: Clients, folder: Path) -> None:
        self.s3: Any = clients.s3
        self.bodies = folder / "scratch" / "s3" / "bodies"
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def put(self, key: str, data: bytes, **more: Any) -> Any:
        return self.s3.put_object(Bucket=BUCKET, Key=key, Body=data, **more)

    def read(self, key: str, **more: Any) -> bytes:
        data: bytes = self.s3.get_object(Bucket=BUCKET, Key=key, **more)["Body"].read()
        return data

    def begin(self, key: str) -> dict[str, str]:
        where = {"Bucket": BUCKET, "Key": key}
        return {**where, "UploadId": self.s3.create_multipart_upload(**where)["UploadId"]}

    def complete(self, where: dict[str, str], *etags: str) -> Any:
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, start=1)]
        return self.s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})

    def in_parts(self, key: str, *parts: bytes) -> Any:
        where = self.begin(key)
        sent = [self.s3.upload_part(**where, PartNumber=at, Body=part) for at, part in enumerate(parts, start=1)]
        return self.complete(where, *(part["ETag"] for part in sent))

    def link(self, key: str, action: str = "put_object") -> str:
        url: str = self.s3.generate_presigned_url(action, Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=60)
        return url

    def files(self) -> int:
        return len(list(self.bodies.glob("*")))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("objects")
    (folder / "scratch").mkdir()
    with ExitStack() as started:
        port, process = start_engine(folder, {}, started)
        await_engine(process, port)
        yield Store(Clients(engine.endpoint_url(port)), folder)


def test_a_large_object_is_read_as_it_was_written(store: Store) -> None:
    given = store.put("whole", DATA)
    assert given["ETag"].strip('"') == hashlib.md5(DATA, usedforsecurity=False).hexdigest()
    assert store.read("whole") == DATA
    assert store.read("whole", VersionId=given["VersionId"]) == DATA


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (CUT - 3, CUT + 3), (MIB, 3 * MIB), (7, len(DATA))])
def test_a_range_of_an_object_in_parts_is_read(store: Store, start: int, stop: int) -> None:
    given = store.in_parts("parts", DATA[:CUT], DATA[CUT:-9], DATA[-9:])
    digests = b"".join(hashlib.md5(part).digest() for part in (DATA[:CUT], DATA[CUT:-9], DATA[-9:]))  # noqa: S324 - S3's
    assert given["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'  # noqa: S324 - S3's
    wanted = f"bytes={start}-{stop - 1}"
    assert store.read("parts", Range=wanted) == DATA[start:stop]
    assert store.read("parts", Range=wanted, VersionId=given["VersionId"]) == DATA[start:stop]


def test_copies_whole_and_in_part_share_what_is_on_disk(store: Store) -> None:
    store.put("original", DATA)
    before, source = store.files(), {"Bucket": BUCKET, "Key": "original"}
    store.s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=source)
    where = store.begin("copied-in-parts")
    etags = [
        store.s3.upload_part_copy(
            **where, PartNumber=number, CopySource=source, CopySourceRange=f"bytes={first}-{last}"
        )
        for number, (first, last) in enumerate(((CUT, len(DATA) - 1), (0, CUT - 1)), start=1)
    ]
    store.complete(where, *(each["CopyPartResult"]["ETag"] for each in etags))
    assert store.read("copy") == DATA
    assert store.read("copied-in-parts") == DATA[CUT:] + DATA[:CUT]
    assert store.files() == before


def test_the_file_goes_with_the_last_version_that_needs_it(store: Store) -> None:
    before = store.files()
    first = store.in_parts("gone", DATA[:CUT], DATA[CUT:])["VersionId"]
    second = store.put("gone", DATA)["VersionId"]
    assert store.files() == before + 3
    for version in (first, second):
        assert store.read("gone", VersionId=version) == DATA
        store.s3.delete_object(Bucket=BUCKET, Key="gone", VersionId=version)
    assert eventually(lambda: store.files() == before or None)


def test_parts_given_up_leave_nothing(store: Store) -> None:
    before, where = store.files(), store.begin("given-up")
    store.s3.upload_part(**where, PartNumber=1, Body=DATA)
    store.s3.abort_multipart_upload(**where)
    assert eventually(lambda: store.files() == before or None)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("ChecksumCRC32", zlib.crc32(DATA).to_bytes(4, "big"), bytes(4)),
        ("ChecksumSHA256", hashlib.sha256(DATA).digest(), bytes(32)),
        ("ContentMD5", hashlib.md5(DATA, usedforsecurity=False).digest(), bytes(16)),
    ],
)
def test_a_checksum_is_held_against_what_came(store: Store, name: str, right: bytes, wrong: bytes) -> None:
    store.put("checked", DATA, **{name: base64.b64encode(right).decode()})
    with pytest.raises(ClientError) as caught:
        store.put("checked", DATA, **{name: base64.b64encode(wrong).decode()})
    assert caught.value.response["Error"]["Code"] == "BadDigest"


def test_a_signed_address_takes_and_gives_large_bytes_whatever_type_is_named(store: Store) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # which curl and urllib name by themselves
    assert httpx.put(store.link("signed"), content=DATA, headers=form, timeout=60).status_code == 200
    assert httpx.get(store.link("signed", "get_object"), timeout=60).content == DATA


@pytest.mark.parametrize("data", [DATA, b"few"], ids=["large", "small"])
def test_a_signed_address_that_writes_once_does_and_cannot_be_used_without_saying_so(store: Store, data: bytes) -> None:
    wanted = {"Bucket": BUCKET, "Key": f"once-{len(data)}", "ContentLength": len(data), "IfNoneMatch": "*"}
    assert store.s3.meta.endpoint_url is not None
    ours = boto3.client("s3", config=S3, endpoint_url=store.s3.meta.endpoint_url, region_name=engine.REGION,
        aws_access_key_id=engine.CREDENTIALS.access_key_id, aws_secret_access_key=engine.CREDENTIALS.secret_access_key,
    )  # fmt: skip
    url = ours.generate_presigned_url("put_object", Params=wanted, ExpiresIn=60)
    once = {"If-None-Match": "*"}
    answers = [httpx.put(url, content=data, headers=headers, timeout=60).status_code for headers in ({}, once, once)]
    assert answers == [403, 200, 412]
    store.s3.delete_object(Bucket=BUCKET, Key=wanted["Key"])
    store.put(str(wanted["Key"]), b"")  # an empty object holds the place of one that was deleted
    assert httpx.put(url, content=data, headers=once, timeout=60).status_code == 412


def test_bytes_of_a_length_not_announced_arrive(store: Store) -> None:
    for data in (DATA, b"few"):
        pieces = iter([data[:100], data[100:]])
        assert httpx.put(store.link("chunked"), content=pieces, timeout=60).status_code == 200
        assert store.read("chunked") == data


def test_the_frames_in_which_an_sdk_sends_a_stream_are_taken_off(store: Store) -> None:
    crc = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
    framed = f"{len(DATA):x}\r\n".encode() + DATA + f"\r\n0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n".encode()
    headers = {
        "Content-Encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(DATA)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    assert httpx.put(store.link("framed"), content=framed, headers=headers, timeout=60).status_code == 200
    assert store.read("framed") == DATA


def test_an_upload_that_breaks_off_leaves_neither_object_nor_file(store: Store) -> None:
    before, address = store.files(), urlsplit(store.link("broken"))
    connection = http.client.HTTPConnection(address.netloc)
    connection.putrequest("PUT", f"{address.path}?{address.query}")
    connection.putheader("Content-Length", str(len(DATA)))
    connection.endheaders(DATA[:CUT])
    assert eventually(lambda: store.files() == before + 1 or None)
    connection.close()
    assert eventually(lambda: store.files() == before or None)
    with pytest.raises(ClientError):
        store.read("broken")


def test_a_download_given_up_keeps_no_one_waiting(store: Store) -> None:
    store.put("large", DATA)
    with httpx.stream("GET", store.link("large", "get_object")) as answer:
        next(answer.iter_raw(1000))
    assert store.read("large", Range="bytes=0-9") == DATA[:10]
