"""A line for Anthropic's Messages API: its body stays as it is, and these members of the body are looked at.

Source: Anthropic's API reference, `POST /v1/messages`, required members; message batches, what they refuse.
"""

from typing import Annotated, Any, Final

import msgspec

from batchyard.domain.batch import BatchError

MESSAGES: Final = "/v1/messages"
_NO_LIST: Final = 'must be a list of at least one message, such as {"role": "user", "content": "…"}.'


class _Body(msgspec.Struct, gc=False):
    max_tokens: Any = None
    messages: msgspec.Raw = msgspec.Raw(b"")


class _Request(msgspec.Struct, gc=False):
    body: _Body


_REQUEST: Final = msgspec.json.Decoder(_Request)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
# The members that a body without a fault has, for a decoder that takes no other body.
SOUND_MEMBERS: Final[list[tuple[str, Any]]] = [
    ("max_tokens", Annotated[int, msgspec.Meta(gt=0)]),
    ("messages", Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1)]),
]


def fault_in(text: bytes) -> BatchError | None:
    """Say what of the body of a well-formed line the Messages API would refuse for certain; None if nothing."""
    try:
        body = _REQUEST.decode(text).body
    except ValueError:  # a number with thousands of digits
        return _no_whole_number()
    return _fault_in_limit(body.max_tokens) or _fault_in_messages(bytes(body.messages))


def _fault_in_limit(limit: object) -> BatchError | None:
    if limit is None:
        message = (
            "The parameter 'body.max_tokens' is missing. Name the most tokens that an answer may have, such as 1024."
        )
        return BatchError("missing_required_parameter", message, "body.max_tokens")
    if isinstance(limit, bool) or not isinstance(limit, int):
        return _no_whole_number()
    if limit <= 0:
        message = "The parameter 'body.max_tokens' must be at least 1: a batch takes no request without an answer."
        return BatchError("invalid_value", message, "body.max_tokens")
    return None


def _no_whole_number() -> BatchError:
    return BatchError("invalid_type", "The parameter 'body.max_tokens' must be a whole number.", "body.max_tokens")


def _fault_in_messages(messages: bytes) -> BatchError | None:
    if messages in {b"", b"null"}:
        message = f"The parameter 'body.messages' is missing. It {_NO_LIST}"
        return BatchError("missing_required_parameter", message, "body.messages")
    if not messages.startswith(b"[") or not _LIST.decode(messages):
        return BatchError("invalid_type", f"The parameter 'body.messages' {_NO_LIST}", "body.messages")
    return None
