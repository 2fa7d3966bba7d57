"""Whether an answer with status 200 is accepted, and if not, why."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from batch_client import decode_mended
from batchyard.acceptance import native_shapes, schemas, shapes, vectors
from batchyard.acceptance.rules import Accept
from batchyard.acceptance.shapes import Said
from batchyard.domain import nesting
from batchyard.domain.nesting import with_few_levels
from batchyard.domain.outcomes import NOT_ACCEPTED
from batchyard.lines import model_urls
from batchyard.lines.line import EMBEDDINGS
from batchyard.lines.messages import MESSAGES

SHOWN: Final = 200  # characters of what the provider said that an error shows
_SHAPES: Final[dict[str, Callable[[Mapping[str, Any]], list[Said] | None]]] = {
    "/v1/chat/completions": shapes.of_choices, "/v1/completions": shapes.of_choices, "/v1/responses": shapes.of_response,
    MESSAGES: shapes.of_message, "/v1/fim/completions": shapes.of_choices,
}  # fmt: skip


class _Answer(msgspec.Struct):
    response: msgspec.Raw
    custom_id: str
    id: msgspec.Raw = msgspec.Raw(b"null")


def reads_requests(accept: Accept, endpoint: str) -> bool:
    """Tell whether a request says more of what its answer must be."""
    return accept.schema or (accept.not_empty and endpoint == EMBEDDINGS)


def why_not(accept: Accept, endpoint: str, line: bytes, request: bytes = b"") -> str | None:
    """Say why the provider's line is not accepted, if so, with what its `request` names. Raises Unusable.

    An endpoint without text or vectors, and a shape that is not known, is asked for a body alone.
    """
    body = shapes.body_of(line)
    read = native_shapes.of_body if model_urls.operation_of(endpoint) else _SHAPES.get(endpoint)
    choices = read(body) if read else None
    if choices is not None:
        schema = schemas.schema_of(request) if accept.schema else b""
        reasons = (_why_not(accept, said, schema) for said in choices)
        return next(filter(None, reasons), None)
    if not accept.not_empty:
        return None
    if endpoint == EMBEDDINGS:
        return vectors.why_not(body, vectors.dimension_of(request))
    return None if body else "the answer is empty"


def _why_not(accept: Accept, said: Said, schema: bytes) -> str | None:
    if accept.finish_reason and {said.finish_reason, said.in_chat}.isdisjoint(accept.finish_reason):
        return f"finish_reason is {(said.finish_reason or 'missing')[:SHOWN]}"
    if accept.not_empty and said.refusal:
        return f"the model refused: {said.refusal[:SHOWN]}"
    if accept.not_empty and not (said.text.strip() or said.arguments or said.other):
        return "the answer is empty"
    why = _why_no_json(said) if accept.json else None
    calls_alone = not said.text and (said.arguments or said.other)
    return schemas.misfit(schema, said.text) if schema and not why and not calls_alone else why


def _why_no_json(said: Said) -> str | None:
    """Look at the text, or at the arguments of the calls where there is no text."""
    if not said.text and not said.arguments:
        return None if said.other else "the answer has no text, so no JSON"
    texts = [said.text] if said.text else said.arguments
    return next((f"the text is not valid JSON: {why}" for text in texts if (why := _broken(text))), None)


def _broken(text: str) -> str | None:
    try:
        nesting.decode(text)
    except ValueError as error:
        return str(error)[:SHOWN]
    return None


def error_line(line: bytes, why: str) -> bytes:
    """Shape the error line of an answer that is not accepted; the provider's response is kept as it came."""
    told = {"code": NOT_ACCEPTED, "message": f"The answer is not accepted: {why.rstrip('.')}."}
    try:
        answer = msgspec.json.decode(line, type=_Answer)
        parts = {"id": answer.id, "custom_id": answer.custom_id, "response": answer.response, "error": told}
        return msgspec.json.encode(parts) + b"\n"
    except (ValueError, RecursionError):  # not quite JSON, or an id that is no text
        return _from_members(line, told)


def _from_members(line: bytes, told: dict[str, str]) -> bytes:
    found = decode_mended(with_few_levels(line))
    members = found if isinstance(found, dict) else {}
    return nesting.encode({**members, "error": told}, (",", ":")).encode() + b"\n"
