"""Every batch decodes in the strictest client that OpenAI's description generates, and is as our own describes it.

Clients can be generated from our own description, too.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

import jsonschema_rs
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from batchyard import openapi
from batchyard.batch import TIMES, Counts, LineError, Usage, shape
from tests.unit.batchyard.memory import NOW, batch

# Generated Rust, Java and Go read every whole number as 32 bits with a sign, and fail on the whole answer otherwise.
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Status = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """An object of OpenAI's: nothing of ours may stand inside it."""


class StrictError(Strict):
    """One entry of `errors.data`."""

    code: str
    message: str
    param: str | None
    line: Int32 | None


class StrictErrors(Strict):
    """`errors`."""

    object: Literal["list"]
    data: list[StrictError]


class StrictCounts(Strict):
    """`request_counts`: absent, or all three."""

    total: Int32
    completed: Int32
    failed: Int32


class Cached(Strict):
    """`usage.input_tokens_details`."""

    cached_tokens: Int32


class Reasoning(Strict):
    """`usage.output_tokens_details`."""

    reasoning_tokens: Int32


class StrictUsage(Strict):
    """`usage`: every member is required in it."""

    input_tokens: Int32
    input_tokens_details: Cached
    output_tokens: Int32
    output_tokens_details: Reasoning
    total_tokens: Int32


class StrictBatch(msgspec.Struct):
    """A batch as generated clients decode it: these never null, beside them what they do not know."""

    id: str
    object: Literal["batch"]
    endpoint: str
    input_file_id: str
    completion_window: str
    status: Status
    created_at: Int32
    request_counts: StrictCounts
    errors: StrictErrors | None
    usage: StrictUsage | None
    metadata: dict[str, str] | None
    output_file_id: str | None
    error_file_id: str | None
    in_progress_at: Int32 | None
    expires_at: Int32 | None
    finalizing_at: Int32 | None
    completed_at: Int32 | None
    failed_at: Int32 | None
    expired_at: Int32 | None
    cancelling_at: Int32 | None
    cancelled_at: Int32 | None


DOCUMENT: dict[str, Any] = json.loads(openapi.text())
DESCRIBED = jsonschema_rs.Draft202012Validator({**DOCUMENT, "$ref": "#/components/schemas/Batch"})
counts = st.integers(0, 2**31 - 1)
tokens = st.integers(0, 2**34)
times = st.none() | st.integers(NOW, NOW + 1_000 * 86_400)
line_errors = st.builds(LineError, st.text(), st.text(), st.none() | st.text(), st.none() | st.integers(1, 2**31 - 1))
members = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(get_args(Status)), "endpoint": st.sampled_from([None, "/v1/videos"]),
        "model": st.none() | st.text(),
        "metadata": st.none() | st.dictionaries(st.text(min_size=1, max_size=64), st.text(max_size=512), max_size=16),
        "counts": st.builds(Counts, counts, counts, counts), "paused": st.none() | st.text(),
        "usage": st.none() | st.builds(Usage, tokens, tokens, tokens, tokens, tokens),
        "errors": st.lists(line_errors, max_size=3), "errors_total": counts,
        "output_file_id": st.none() | st.text(), "error_file_id": st.none() | st.text(),
        **dict.fromkeys(set(TIMES) - {"expires_at"}, times),
    },
)  # fmt: skip


@given(members)
def test_any_batch_decodes_in_the_strictest_client_and_is_as_described(given_members: dict[str, Any]) -> None:
    text = msgspec.json.encode(shape(batch(**given_members)))
    decoded = msgspec.json.decode(text, type=StrictBatch)
    assert decoded.request_counts.total == given_members.get("counts", Counts()).total
    DESCRIBED.validate(json.loads(text))


def schemas(within: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of the document that could be a schema."""
    if isinstance(within, dict):
        yield within
    for each in within.values() if isinstance(within, dict) else within if isinstance(within, list) else ():
        yield from schemas(each)


def test_no_schema_of_ours_is_named_as_a_type_that_a_language_has() -> None:
    # Generated Ruby takes an answer of type File for a download.
    taken = {"File", "Error", "Object", "Module", "Response", "Request", "Result", "Option", "String", "List", "Map"}
    assert not taken & DOCUMENT["components"]["schemas"].keys()


def test_every_fixed_value_is_text_of_a_type_for_generators_to_go_by() -> None:
    fixed = [each for each in schemas(DOCUMENT) if isinstance(each.get("const", each.get("enum")), str | bool | list)]
    assert fixed
    assert all("string" in each["type"] for each in fixed)  # of a fixed boolean they make an enum of the text "true"
