"""A line whose url names the model, as in Bedrock's runtime API: its body stays as it is, and has no model of its own."""

from typing import Any, Final, Literal

import msgspec

from batchyard.domain import nesting
from batchyard.domain.batch import BatchError
from batchyard.lines import model_urls
from batchyard.lines.line import Body, Line, fault_of, shown
from batchyard.lines.model_urls import OPERATIONS, STREAMING, ModelUrl

EXAMPLE: Final = "/model/amazon.nova-lite-v1:0/invoke"


class _Body(msgspec.Struct, gc=False):
    """The members that say what the url says, or what no batch can do."""

    stream: Any = None
    model: Any = None
    modelId: Any = None  # noqa: N815 - as it stands in a body


class _Line(msgspec.Struct, gc=False):
    custom_id: str
    method: Literal["POST"]
    url: str
    body: _Body


_LINE: Final = msgspec.json.Decoder(_Line)


def read(text: bytes, endpoint: str | None) -> Line | BatchError | None:
    """Read a line with the model in its url, or say what is wrong with the line; None for a line of another kind.

    `endpoint` is the batch's, None when the lines decide. A line that is not well-formed is of another kind, too.
    """
    try:
        text.decode()
        nesting.check(text)
        found = _LINE.decode(text)
    except ValueError:
        return None
    target = model_urls.read(found.url)
    if target is None:
        return None
    fault = _fault_in_url(found.url, target, endpoint) or _fault_in_body(found.body, target.model)
    if fault is not None:
        return fault
    line = Line(found.custom_id, found.method, target.url, Body(target.model, found.body.stream))
    return fault_of(line, None, {target.url}) or line


def _fault_in_url(url: str, target: ModelUrl, endpoint: str | None) -> BatchError | None:
    if target.operation in STREAMING:
        message = f"A batch cannot stream, as {shown(url)} would. End `url` with /invoke or /converse."
        return BatchError("streaming_unsupported", message, "url")
    if target.operation not in OPERATIONS:
        known = " or ".join(OPERATIONS.values())
        return BatchError("invalid_url", f"The url {shown(url)} is not {known}. Change `url`.", "url")
    if not target.model:
        message = f"The url {shown(url)} names no model that there can be. Write the model's id, as in {EXAMPLE}."
        return BatchError("invalid_url", message, "url")
    if endpoint is not None and model_urls.same(endpoint) not in {target.url, OPERATIONS[target.operation]}:
        return BatchError("invalid_url", f"The url {shown(url)} is not {endpoint}. Change `url`.", "url")
    return None


def _fault_in_body(body: _Body, model: str) -> BatchError | None:
    """Refuse a body that names another model than the url: one of the two is a mistake, and would be paid."""
    for name in ("model", "modelId"):
        told = getattr(body, name)
        if isinstance(told, str) and told not in model and model not in told:
            message = (
                f"The body names the model {shown(told)}, and the url {shown(model)}. Remove `{name}` from the body."
            )
            return BatchError("invalid_value", message, f"body.{name}")
    return None
