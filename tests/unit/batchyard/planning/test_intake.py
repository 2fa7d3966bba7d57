"""An upload becomes a batch, or a batch that says why not; nothing a user writes beside it can stop the intake."""

import pytest

from batchyard.adapters.bucket import Bucket
from batchyard.domain.nesting import MOST_LEVELS
from batchyard.planning.intake import intake
from tests.fakes.batches import BUCKET
from tests.fakes.nested import nested
from tests.fakes.planned import INPUT, KEY
from tests.fakes.services import MemoryServices


def drop(**metadata: str) -> tuple[MemoryServices, str]:
    services = MemoryServices()
    services.bucket.put(KEY, INPUT)
    services.bucket.metadata[KEY] = {name.replace("_", "-"): value for name, value in metadata.items()}
    batch_id = intake(services, BUCKET, KEY, "v1")
    assert batch_id is not None
    return services, batch_id


def test_metadata_and_window_of_the_object_are_the_batch_s() -> None:
    services, batch_id = drop(metadata='{"run": "7", "ü": "🚂"}', completion_window="7d", other="x")
    made = services.batch_store.batch(batch_id)
    assert (made.metadata, made.completion_window) == ({"run": "7", "ü": "🚂"}, "7d")
    assert made.expires_at - made.created_at == 7 * 86_400
    assert services.executions.started == [batch_id]


@pytest.mark.parametrize(
    ("metadata", "code", "param"),
    [
        ({"metadata": "run=7"}, "invalid_type", "metadata"),
        ({"metadata": "[]"}, "invalid_type", "metadata"),
        ({"metadata": ""}, "invalid_type", "metadata"),
        ({"metadata": "null"}, "invalid_type", "metadata"),
        ({"metadata": '{"a": NaN}'}, "invalid_type", "metadata"),
        ({"metadata": '{"a": "\\ud800"}'}, "invalid_type", "metadata"),
        ({"metadata": "[" * 2_000}, "invalid_type", "metadata"),
        ({"metadata": '{"a":' + "[" * 1_000 + "]" * 1_000 + "}"}, "invalid_type", "metadata"),
        ({"metadata": '{"a":' + nested(MOST_LEVELS - 1).decode() + "}"}, "invalid_type", "metadata.a"),
        ({"metadata": '{"a":' + nested(MOST_LEVELS).decode() + "}"}, "invalid_type", "metadata"),
        ({"metadata": '{"a": 1}'}, "invalid_type", "metadata.a"),
        ({"metadata": '{"a": "' + "x" * 513 + '"}'}, "string_above_max_length", "metadata.a"),
        ({"completion_window": "soon"}, "invalid_value", "completion_window"),
        ({"dryrun": "true"}, "unknown_parameter", "dryrun"),
        ({"max_cost": "1"}, "unknown_parameter", "max-cost"),
        ({"completion-windw": "7d"}, "unknown_parameter", "completion-windw"),
        ({"onvalid": "skip", "metadata": "{}"}, "unknown_parameter", "onvalid"),
        ({"batchyard-dry-run": "true"}, "unknown_parameter", "batchyard-dry-run"),
        ({"x-amz-meta-dry-run": "true"}, "unknown_parameter", "x-amz-meta-dry-run"),
        ({"batchyard-budget": "1"}, "unknown_parameter", "batchyard-budget"),
        ({"completion_window": "9" * 40 + "h"}, "invalid_value", "completion_window"),
    ],
)
def test_what_is_wrong_beside_the_object_fails_the_batch_and_says_so(
    metadata: dict[str, str], code: str, param: str
) -> None:
    services, batch_id = drop(**metadata)
    made = services.batch_store.batch(batch_id)
    assert (made.status, made.errors[0].code, made.errors[0].param) == ("failed", code, param)
    assert services.executions.started == []
    assert services.event_bus.announced == ["failed"]


class OneObject:
    """An S3 client that knows one object, and what was written beside it."""

    def __init__(self, value: str) -> None:
        self.value = value

    def head_object(self, **_: str) -> dict[str, object]:
        return {"ETag": "e", "ContentLength": 1, "Metadata": {"Completion_Window": self.value}}


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("7d", "7d"),
        ("=?UTF-8?B?w7w=?=", "ü"),
        ("=?UTF-8?Q?=C3=BC?=", "ü"),
        ("=?no-such-charset?Q?x?=", "=?no-such-charset?Q?x?="),
        ("=?UTF-8?B?A?=", "=?UTF-8?B?A?="),
        ("=?UTF-8?Q?=FF?=", "=?UTF-8?Q?=FF?="),
        ("a=?b", "a=?b"),
    ],
)
def test_user_metadata_is_read_as_mail_headers_are_or_left_as_it_is(sent: str, read: str) -> None:
    bucket = Bucket(BUCKET, OneObject(sent))  # type: ignore[arg-type]  # one method is enough
    assert bucket.head("k")[1] == {"completion-window": read}


def test_an_object_with_a_folder_s_name_and_bytes_of_its_own_is_an_input() -> None:
    services = MemoryServices()
    services.bucket.put("inbox/default/odd/", INPUT)
    services.bucket.put("inbox/default/folder/", b"")
    assert intake(services, BUCKET, "inbox/default/odd/", "v1") is not None
    assert intake(services, BUCKET, "inbox/default/folder/", "v1") is None


@pytest.mark.parametrize(
    "name",
    ["s3cmd-attrs", "mtime", "btime", "md5chksum", "aws-glue-job", "x-amz-iv", "goog-reserved-file-mtime", "sha256",
     "cb-modifiedtime", "uid", "gid", "mode", "permissions", "file-owner", "content-md5", "source", "originalname"],
)  # fmt: skip
def test_what_tools_write_beside_an_object_refuses_nothing(name: str) -> None:
    services, batch_id = drop(**{name: "1"})
    assert services.executions.started == [batch_id]


def test_an_unknown_name_with_ours_before_it_is_told_what_there_is() -> None:
    services, batch_id = drop(**{"batchyard-budget": "1"})
    assert services.batch_store.batch(batch_id).errors[0].message == (
        "Unknown parameter: 'batchyard-budget'. "
        "There are: on-invalid, dry-run, max-cost-usd, accept, provider, completion-window, metadata, "
        "retry-of, retry-lines, retry-body."
    )


@pytest.mark.parametrize(
    ("listed", "key", "said"),
    [
        ("default, acme", "inbox/amce/in.jsonl", "No tenant is named 'amce'. Did you mean 'acme'?"),
        ("default,acme", "inbox/zz/in.jsonl", "No tenant is named 'zz'. Nothing was sent"),
        ("acme", "inbox/in.jsonl", "No tenant is named 'default'."),
        ("acme", "inbox/Acme/in.jsonl", "No tenant is named 'Acme'. Did you mean 'acme'?"),
    ],
)
def test_an_upload_for_a_tenant_that_is_not_listed_spends_nothing(listed: str, key: str, said: str) -> None:
    services = MemoryServices(tenants=listed)
    services.bucket.put(key, INPUT)
    batch_id = intake(services, BUCKET, key, "v1")
    assert batch_id is not None
    made = services.batch_store.batch(batch_id)
    assert (made.status, made.errors[0].code, made.errors[0].param) == ("failed", "unknown_tenant", "tenant")
    assert made.errors[0].message.startswith(said)
    assert (services.executions.started, services.bucket.stored[key]) == ([], INPUT)


@pytest.mark.parametrize("listed", ["", " , ", "default", "acme, default"])
def test_an_upload_for_a_listed_tenant_runs_and_without_a_list_any(listed: str) -> None:
    services = MemoryServices(tenants=listed)
    services.bucket.put("inbox/in.jsonl", INPUT)
    assert services.executions.started == [intake(services, BUCKET, "inbox/in.jsonl", "v1")]
