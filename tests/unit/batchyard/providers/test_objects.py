"""The folder of the bucket that a provider reads and writes by itself."""

import json
from collections.abc import Iterator

import pytest

from batch_client import NotFoundError, Objects, Stored
from batchyard.domain.batch import InputObject
from batchyard.domain.object_keys import provider_folder
from batchyard.providers.objects import BucketFolder
from tests.fakes.batches import BUCKET, NOW
from tests.fakes.bucket import MemoryBucket
from tests.fakes.services import MemoryServices

ROLE = "arn:aws:iam::123456789012:role/yard"


def folder() -> tuple[BucketFolder, MemoryBucket]:
    bucket = MemoryBucket(chunk=4)
    return BucketFolder(lambda: bucket, "providers/bedrock/", ROLE), bucket


def test_an_object_is_written_read_listed_and_deleted_by_its_address() -> None:
    made, bucket = folder()
    objects: Objects = made
    address = objects.put("in.jsonl", iter([b"12345", b"", b"678"]))
    assert address == f"s3://{BUCKET}/providers/bedrock/in.jsonl"
    assert bucket.stored == {"providers/bedrock/in.jsonl": b"12345678"}
    assert list(objects.read(address)) == [b"1234", b"5678"]
    assert list(objects.list()) == [Stored(address, NOW)]
    assert objects.delete(address)
    assert not objects.delete(address)
    with pytest.raises(NotFoundError):
        list(objects.read(address))


class Vanishing(MemoryBucket):
    """A bucket whose objects go between the look at them and the reading."""

    def chunks(self, source: InputObject, *_: object, **__: object) -> Iterator[bytes]:
        self.stored.clear()
        return super().chunks(source)


def test_an_object_that_goes_while_it_is_read_is_gone() -> None:
    bucket = Vanishing()
    objects = BucketFolder(lambda: bucket, "providers/bedrock/", ROLE)
    address = objects.put("in.jsonl", [b"12345678"])
    with pytest.raises(NotFoundError, match=r"There is no s3://"):
        list(objects.read(address))


def test_the_objects_of_a_folder_are_those_below_it_and_not_those_of_a_longer_name() -> None:
    objects, bucket = folder()
    bucket.stored |= dict.fromkeys(("providers/bedrock/a/1", "providers/bedrock/ab/2", "providers/bedrock-2/3"), b"")
    root = f"s3://{BUCKET}/providers/bedrock"
    assert [each.address for each in objects.list(f"{root}/a")] == [f"{root}/a/1"]
    assert [each.address for each in objects.list(f"{root}/a/")] == [f"{root}/a/1"]
    assert [each.address for each in objects.list()] == [f"{root}/a/1", f"{root}/ab/2"]


def test_what_breaks_off_leaves_no_object() -> None:
    objects, bucket = folder()

    def broken() -> Iterator[bytes]:
        yield b"1"
        raise OSError("broke off")

    with pytest.raises(OSError, match="broke off"):
        objects.put("in.jsonl", broken())
    assert bucket.stored == {}


@pytest.mark.parametrize(
    "address",
    [
        f"s3://{BUCKET}/results/x",
        "s3://another/providers/bedrock/x",
        "file-7",
        f"s3://{BUCKET}/providers/bedrock/../x",
        "",
    ],
)
def test_what_lies_elsewhere_is_neither_read_nor_deleted(address: str) -> None:
    objects, bucket = folder()
    bucket.stored |= {"results/x": b"", "providers/x": b"", "providers/bedrock/../x": b""}
    for call in (lambda: list(objects.read(address)), lambda: objects.delete(address)):
        with pytest.raises(NotFoundError, match="outside"):
            call()
    assert len(bucket.stored) == 3


def test_the_name_of_a_folder_has_only_characters_that_bedrock_takes() -> None:
    assert provider_folder("bedrock.eu-1_x") == "providers/bedrock.eu-1_x/"
    assert provider_folder("127.0.0.1:4510") == "providers/127.0.0.1_4510/"


def test_the_role_of_an_entry_goes_before_that_of_the_stack() -> None:
    bedrock = {"base_url": "https://bedrock.us-east-1.amazonaws.com"}
    described = {"a": {**bedrock, "role": ROLE}, "b": bedrock}
    services = MemoryServices(providers=json.dumps(described), provider_role_arn="arn:aws:iam::123456789012:role/stack")
    assert services.account("a").objects.role == ROLE
    assert services.account("b").objects.role == "arn:aws:iam::123456789012:role/stack"
    assert services.account("a").objects.put("x", [b""]) == f"s3://{BUCKET}/providers/a/x"
