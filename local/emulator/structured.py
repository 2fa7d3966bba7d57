"""Make the smallest JSON value that a schema allows, for requests for structured output."""

import json
from typing import Any

_DEEPEST = 20


def wanted_schema(endpoint: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema that a chat or responses request wants: `{}` for plain JSON mode, None for text."""
    form = body.get("response_format") if endpoint.endswith("/completions") else _member(body.get("text"), "format")
    if not isinstance(form, dict) or form.get("type") not in ("json_object", "json_schema"):
        return None
    schema = _member(form.get("json_schema"), "schema") or form.get("schema")  # chat nests it, responses does not
    return schema if isinstance(schema, dict) else {}


def structured_text(schema: dict[str, Any], text: str) -> str:
    """Return a JSON text that fits `schema`; plain JSON mode gets `text` under `answer`."""
    return json.dumps(_instance(schema, schema, text, 0) if schema else {"answer": text})


def _instance(schema: object, root: dict[str, Any], text: str, depth: int) -> object:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None
    if "$ref" in schema:
        return _instance(_resolved(str(schema["$ref"]), root), root, text, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    return _instance(branches[0], root, text, depth + 1) if branches else _typed(schema, root, text, depth)


def _typed(schema: dict[str, Any], root: dict[str, Any], text: str, depth: int) -> object:
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        members = schema.get("properties", {})
        return {name: _instance(member, root, text, depth + 1) for name, member in members.items()}
    if kind == "array":
        return [_instance(schema.get("items"), root, text, depth + 1)] * int(schema.get("minItems", 1))
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    return {"string": text, "boolean": False}.get(kind)


def _resolved(reference: str, root: dict[str, Any]) -> object:
    found: object = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        found = _member(found, name) if name else found
    return found


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None
