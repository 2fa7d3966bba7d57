"""A JSON schema for structured output: what the request says of it, and which columns its members become."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from .errors import RecipeError

Kind = Literal["text", "integer", "number", "boolean", "list", "object", "vector", "json"]
_KINDS: Final[dict[str, Kind]] = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
_PYTHON: Final[dict[Kind, type]] = {"text": str, "integer": int, "boolean": bool, "list": list, "object": dict}
_INT64: Final = 1 << 63
_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME: Final = 64


@dataclass(frozen=True)
class Field:
    """A column, or a part of one, and the type that its values have."""

    name: str
    kind: Kind
    #: The elements of a list, or the members of an object.
    parts: tuple["Field", ...] = ()

    def fits(self, value: object) -> bool:
        """Tell whether a value of JSON is of this type, or null."""
        if value is None or self.kind in ("json", "vector"):
            return True
        if self.kind == "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        if not isinstance(value, _PYTHON[self.kind]) or (self.kind == "integer" and isinstance(value, bool)):
            return False
        if isinstance(value, int):
            return -_INT64 <= value < _INT64
        if isinstance(value, list):
            return all(self.parts[0].fits(each) for each in value)
        return not isinstance(value, dict) or self._fits_members(value)

    def _fits_members(self, value: Mapping[str, object]) -> bool:
        return value.keys() <= {part.name for part in self.parts} and all(
            part.fits(value.get(part.name)) for part in self.parts
        )


@dataclass(frozen=True)
class OutputSchema:
    """What a request asks its answer to be."""

    name: str
    schema: Mapping[str, Any]
    strict: bool

    @property
    def fields(self) -> tuple[Field, ...]:
        """Name the members of the answer, which become columns."""
        return tuple(_field(name, of) for name, of in self.schema["properties"].items())


def output_schema(given: Mapping[str, Any]) -> OutputSchema:
    """Read a plain JSON schema, or OpenAI's object with `name`, `schema` and `strict` around one."""
    for outer in ("response_format", "json_schema"):
        if isinstance(given.get(outer), Mapping):
            given = given[outer]
    schema = given.get("schema", given)
    members = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(members, Mapping) or not members or schema.get("type") != "object":
        raise RecipeError('The schema must be of an object with members: {"type": "object", "properties": {…}}')
    name = _NAME.sub("_", str(given.get("name") or schema.get("title") or "answer"))[:_LONGEST_NAME]
    strict = given.get("strict", True) if schema is not given else True
    if strict and (fault := next(_not_strict(schema, "the schema"), None)):
        raise RecipeError(
            f"{fault}: strict output needs that. Mend the schema, or put it as "
            '{"name": "answer", "strict": false, "schema": {…}}'
        )
    return OutputSchema(name, schema, bool(strict))


def _not_strict(schema: object, where: str) -> Iterator[str]:
    """Say what the providers' strict mode would refuse, so that no line is sent in vain."""
    if isinstance(schema, list):
        for number, each in enumerate(schema):
            yield from _not_strict(each, f"{where}[{number}]")
    if not isinstance(schema, Mapping):
        return
    yield from _not_strict_object(schema, where)
    for word in ("items", "anyOf"):
        yield from _not_strict(schema.get(word), f"{where}.{word}")
    shared = schema.get("$defs")
    for name, each in shared.items() if isinstance(shared, Mapping) else ():
        yield from _not_strict(each, f"{where}.$defs.{name}")


def _not_strict_object(schema: Mapping[str, Any], where: str) -> Iterator[str]:
    members = schema.get("properties")
    if not isinstance(members, Mapping):
        return
    if schema.get("additionalProperties") is not False:
        yield f'{where} has no "additionalProperties": false'
    required = schema.get("required")
    if left := [name for name in members if not isinstance(required, list | tuple) or name not in required]:
        yield f'{where} does not list {", ".join(map(repr, left))} in "required"'
    for name, each in members.items():
        yield from _not_strict(each, f"{where}.{name}")


def _field(name: str, schema: object) -> Field:
    """Choose the type of a member; what has no single one is kept as JSON."""
    if not isinstance(schema, Mapping):
        return Field(name, "json")
    types = schema.get("type")
    several = [each for each in types if each != "null"] if isinstance(types, list) else [types]
    kind = several[0] if len(several) == 1 else None
    if kind == "array" and isinstance(schema.get("items"), Mapping):
        return Field(name, "list", (_field("item", schema["items"]),))
    if (
        kind == "object"
        and isinstance(schema.get("properties"), Mapping)
        and schema["properties"]
        and schema.get("additionalProperties") is False
    ):
        return Field(name, "object", tuple(_field(*member) for member in schema["properties"].items()))
    return Field(name, _KINDS.get(str(kind), "json"))
