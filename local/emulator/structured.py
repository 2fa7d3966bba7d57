"""Make the smallest JSON value that a schema allows, for requests for structured output."""

import json
from typing import Any

_DEEPEST = 20
_MOST_VALUES = 2_000  # a schema that refers to itself could have more than any answer holds


def wanted_schema(endpoint: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema that a chat or responses request wants: `{}` for plain JSON mode, None for text."""
    holder = "output_config" if endpoint.endswith("/messages") else "text"
    form = body.get("response_format") if endpoint.endswith("/completions") else _member(body.get(holder), "format")
    if not isinstance(form, dict) or form.get("type") not in ("json_object", "json_schema"):
        return None
    schema = _member(form.get("json_schema"), "schema") or form.get("schema")  # chat nests it, responses does not
    return schema if isinstance(schema, dict) else {}


def structured_text(schema: dict[str, Any], text: str) -> str:
    """Return a JSON text that fits `schema`; plain JSON mode gets `text` under `answer`."""
    return json.dumps(_Instance(schema, text).of(schema, 0) if schema else {"answer": text})


class _Instance:
    """Make a value that fits a schema; a part that is no schema, or is too deep or too large, is null."""

    def __init__(self, root: dict[str, Any], text: str) -> None:
        self._root, self._text = root, text
        self._left = _MOST_VALUES

    def of(self, schema: object, depth: int) -> object:
        self._left -= 1
        if not isinstance(schema, dict) or depth > _DEEPEST or self._left < 0:
            return None
        if "$ref" in schema:
            return self.of(_resolved(str(schema["$ref"]), self._root), depth + 1)
        if "const" in schema:
            return schema["const"]
        branches = [schema[name] for name in ("enum", "anyOf", "oneOf", "allOf") if _is_filled(schema.get(name))]
        if branches:
            return branches[0][0] if _is_filled(schema.get("enum")) else self.of(branches[0][0], depth + 1)
        return self._typed(schema, depth)

    def _typed(self, schema: dict[str, Any], depth: int) -> object:
        kind = schema.get("type", "object")
        kind = str(kind[0] if _is_filled(kind) else kind)
        if kind == "object":
            members = schema.get("properties")
            named = members.items() if isinstance(members, dict) else ()
            return {name: self.of(member, depth + 1) for name, member in named}
        if kind == "array":
            return self._array(schema, depth)
        if kind in ("integer", "number"):
            return schema.get("minimum", 0)
        return {"string": self._text, "boolean": False}.get(kind)

    def _array(self, schema: dict[str, Any], depth: int) -> list[object]:
        least = schema.get("minItems")
        items = list[object]()
        for _ in range(min(least, _MOST_VALUES) if isinstance(least, int) else 1):
            if self._left <= 0:
                break
            items.append(self.of(schema.get("items"), depth + 1))
        return items


def _is_filled(value: object) -> bool:
    return isinstance(value, list) and bool(value)


def _resolved(reference: str, root: dict[str, Any]) -> object:
    found: object = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        found = _member(found, name) if name else found
    return found


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None
