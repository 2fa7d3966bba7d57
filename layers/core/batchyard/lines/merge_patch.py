"""A JSON merge patch (RFC 7396) of request bodies: what it does not name keeps its bytes, numbers and all."""

from typing import Any

import msgspec

from batchyard.domain import nesting

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class BodyPatch:
    """Change the bodies of lines; custom_id, method and url stay as they are."""

    def __init__(self, patch: dict[str, Any]) -> None:
        """Take the patch of a body: null removes a member, an object is a patch by itself, any other value replaces."""
        self._patch = {name: _prepared(value) for name, value in patch.items()}

    def changed(self, text: bytes) -> bytes:
        """Return the line with its body changed; raises ValueError for a line that has no body, or is no JSON."""
        nesting.check(text)
        members = _MEMBERS.decode(text)
        if "body" not in members or not _is_object(members["body"]):
            raise ValueError("the line has no body")
        members["body"] = _merged(members["body"], self._patch)
        return msgspec.json.encode(members) + b"\n"


def _prepared(value: object) -> Any:  # noqa: ANN401 - a patch, bytes of JSON, or None
    """Write each value of a patch once, and not for every line."""
    if isinstance(value, dict):
        return {name: _prepared(member) for name, member in value.items()}
    return None if value is None else msgspec.Raw(nesting.encode(value, (",", ":")).encode())


def _merged(target: msgspec.Raw | None, patch: dict[str, Any]) -> msgspec.Raw:
    members = _MEMBERS.decode(target) if target is not None and _is_object(target) else {}
    for name, value in patch.items():
        if value is None:
            members.pop(name, None)
        else:
            members[name] = _merged(members.get(name), value) if isinstance(value, dict) else value
    return msgspec.Raw(msgspec.json.encode(members))


def _is_object(value: msgspec.Raw) -> bool:
    return bytes(value).lstrip()[:1] == b"{"
