"""The service tier of a request and of its answer, as OpenAI names it."""

from typing import Final

import msgspec

from batch_client import decode_mended
from batchyard.domain.nesting import with_few_levels

FLEX: Final = "flex"  # slower, at the price of a batch, and now and then without room
_MEMBER: Final = b'{"service_tier":"flex"'


class _Request(msgspec.Struct):
    service_tier: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Body(msgspec.Struct, gc=False):
    service_tier: str | None = None


class _Response(msgspec.Struct, gc=False):
    body: _Body | None = None


class _Line(msgspec.Struct, gc=False):
    response: _Response | None = None


def with_flex(body: bytes) -> bytes | None:
    """Return a request's body that asks for flex processing; None if the body names a service tier of its own."""
    if msgspec.json.decode(body, type=_Request).service_tier is not msgspec.UNSET:
        return None
    rest = body.lstrip()[1:]
    return _MEMBER + (b"" if rest.lstrip().startswith(b"}") else b",") + rest


def is_by_flex(line: bytes) -> bool:
    """Tell whether an answer says that it came by flex processing, which may differ from what its request asked for."""
    try:
        told = msgspec.json.decode(line, type=_Line)
    except (ValueError, RecursionError):  # not quite JSON, or nested deeply: `outcomes` reads it so, too
        told = _leniently(line)
    return told.response is not None and told.response.body is not None and told.response.body.service_tier == FLEX


def _leniently(line: bytes) -> _Line:
    try:
        return msgspec.convert(decode_mended(with_few_levels(line)), _Line)
    except ValueError:  # msgspec's own error is one, too
        return _Line()
