import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_client import BatchClient, BatchClientError, RetryPolicy
from tests.unit.batch_client.fake_service import BATCH, FILE, Answer, client_of

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(
    [*BATCH, *FILE, "data", "has_more", "last_id", "first_id", "error", "job", "deleted", "detail"]
)
like_ours = st.builds(
    lambda base, odd, wrap: wrap({**base, **odd}),
    st.sampled_from([BATCH, FILE, {}]),
    st.dictionaries(members, anything, max_size=6),
    st.sampled_from(
        [lambda item: item, lambda item: {"data": [item]}, lambda item: {"job": item}, lambda item: [item]]
    ),
)
errors_like_ours = st.builds(
    lambda error: {"error": error}, st.dictionaries(st.sampled_from(["message", "code", "type", "param"]), anything)
)
bodies = st.one_of(
    st.one_of(anything, like_ours, errors_like_ours).map(lambda data: json.dumps(data).encode()), st.binary(max_size=40)
)
header_names = st.sampled_from(
    ["content-type", "retry-after", "retry-after-ms", "x-request-id", "x-should-retry", "location", "content-encoding"]
)
headers = st.dictionaries(
    header_names, st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12), max_size=3
)
statuses = st.sampled_from(
    [200, 200, 200, 200, 201, 204, 206, 302, 307, 304, 400, 401, 404, 408, 409, 416, 429, 500, 503]
)

CALLS: dict[str, Callable[[BatchClient], object]] = {
    "create_batch": lambda client: client.create_batch(input_file_id="f", endpoint="/v1/responses"),
    "retrieve_batch": lambda client: client.retrieve_batch("b"),
    "cancel_batch": lambda client: client.cancel_batch("b"),
    "list_batches": lambda client: client.list_batches(),
    "iter_batches": lambda client: list(client.iter_batches()),
    "find_batch": lambda client: client.find_batch("key", "value", 0),
    "create_file": lambda client: client.create_file(b"{}", "a.jsonl"),
    "retrieve_file": lambda client: client.retrieve_file("f"),
    "list_files": lambda client: client.list_files(),
    "iter_files": lambda client: list(client.iter_files()),
    "delete_file": lambda client: client.delete_file("f"),
    "download_file": lambda client: b"".join(client.download_file("f")),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@settings(max_examples=120, deadline=None)
@given(body=bodies, status=statuses, headers=headers, length=st.booleans())
def test_no_answer_raises_anything_but_our_errors(
    call: Callable[[BatchClient], object], body: bytes, status: int, headers: dict[str, str], length: bool
) -> None:
    client, _ = client_of(Answer(body, status, headers, length), retry=RetryPolicy(max_retries=1))
    raised = None
    try:
        call(client)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is judged
        raised = error
    assert isinstance(raised, BatchClientError | None)
