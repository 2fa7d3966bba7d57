"""The JSON schema that a request asks its answer to fit, and whether a text fits it."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.domain import nesting

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

MENTIONED: Final = b"json_schema"  # a request without this word has no schema
KEPT: Final = 64  # validators: the requests of a batch mostly share one schema
SHOWN: Final = 200  # characters of what is wrong


class Unusable(ValueError):  # noqa: N818 - names what was seen, as the errors of this room do
    """The schema of a request is no JSON schema, or refers to another document."""


class _Format(msgspec.Struct, gc=False):
    schema: msgspec.Raw = msgspec.Raw(b"")
    json_schema: "_Format | None" = None


class _Text(msgspec.Struct, gc=False):
    format: _Format | None = None


class _JsonSchema(msgspec.Struct, gc=False):
    schema: str = ""


class _Structure(msgspec.Struct, gc=False):
    jsonSchema: _JsonSchema | None = None  # noqa: N815 - as it stands in a body


class _TextFormat(msgspec.Struct, gc=False):
    structure: _Structure | None = None


class _OutputConfig(msgspec.Struct, gc=False):
    textFormat: _TextFormat | None = None  # noqa: N815


class _Body(msgspec.Struct, gc=False):
    response_format: _Format | None = None
    text: _Text | None = None
    #: Of Anthropic's messages.
    output_config: _Text | None = None
    #: Of Bedrock's Converse: the schema is a text.
    outputConfig: _OutputConfig | None = None  # noqa: N815


class _Request(msgspec.Struct, gc=False):
    body: _Body


_REQUEST: Final = msgspec.json.Decoder(_Request)


def schema_of(request: bytes) -> bytes:
    """Return the schema that a request names; nothing if there is none, or if it is in no shape of the provider's API."""
    if MENTIONED not in request:
        return b""
    try:
        body = _REQUEST.decode(request).body
    except ValueError:
        return b""
    if (converse := _of_converse(body.outputConfig)) is not None:
        return converse
    others = (told.format for told in (body.text, body.output_config) if told and told.format)
    found = body.response_format.json_schema if body.response_format else next(others, None)
    return bytes(found.schema) if found else b""


def _of_converse(config: _OutputConfig | None) -> bytes | None:
    structure = config.textFormat.structure if config and config.textFormat else None
    return structure.jsonSchema.schema.encode() if structure and structure.jsonSchema else None


def misfit(schema: bytes, text: str) -> str | None:
    """Say why a text does not fit a schema, if so; raises Unusable if the schema cannot be followed."""
    validator = _validator(schema)
    try:
        value = nesting.decode(text)
    except ValueError as error:
        return f"the text is not valid JSON: {str(error)[:SHOWN]}"
    wrong = next(iter(validator.iter_errors(value)), None)
    if wrong is None:
        return None
    if _says_nothing(wrong):
        raise Unusable(wrong.message[:SHOWN])
    place = "".join(f"/{step}" for step in wrong.instance_path)
    return f"the text does not fit the schema{f' at {place[:SHOWN]}' if place else ''}: {wrong.message[:SHOWN]}"


def _says_nothing(error: "ValidationError") -> bool:
    """Tell whether the validator gave up, as on a pattern that takes too long: the text is not at fault."""
    from jsonschema_rs import ValidationErrorKind as Kind  # noqa: PLC0415 - as below

    return isinstance(error.kind, Kind.BacktrackLimitExceeded | Kind.RegexEngineFailure | Kind.Referencing)


@lru_cache(maxsize=KEPT)
def _validator(schema: bytes) -> "Validator":
    from jsonschema_rs import validator_for  # noqa: PLC0415 - a Rust library that only batches with `schema` need

    try:
        wanted: Any = nesting.decode(schema)
        return validator_for(wanted, offline=True)
    except ValueError as error:
        raise Unusable(str(error)[:SHOWN]) from error
