"""Refuse wrong parameters of a line as the model endpoints do: with a 400, when the line runs."""

from collections.abc import Iterator
from typing import Any

from local.emulator.errors import ApiError

_SHOWN = 40  # digits of a number that is out of range
_RANGES: dict[str, tuple[str, float, float]] = {
    "temperature": ("decimal", 0, 2),
    "top_p": ("decimal", 0, 1),
    "presence_penalty": ("decimal", -2, 2),
    "frequency_penalty": ("decimal", -2, 2),
    "n": ("integer", 1, 128),
    "max_tokens": ("integer", 1, 1_000_000),
    "max_completion_tokens": ("integer", 1, 1_000_000),
    "max_output_tokens": ("integer", 16, 1_000_000),
    "top_logprobs": ("integer", 0, 20),
    "dimensions": ("integer", 1, 4096),
}


def refusal(body: dict[str, Any]) -> ApiError | None:
    """Return the first refusal of the body of a request; None if the request is answered."""
    return next(_refusals(body), None)


def _refusals(body: dict[str, Any]) -> Iterator[ApiError]:
    for name in _RANGES:
        if body.get(name) is not None and (found := _out_of_range(name, body[name])):
            yield found
    for name in ("messages", "input"):
        if body.get(name) == []:
            message = f"Invalid '{name}': empty array. Expected an array with minimum length 1."
            yield ApiError(400, message, param=name, code="empty_array")
    messages = body.get("messages", [])
    if not isinstance(messages, list):
        yield _wrong_type("messages", "an array of objects", messages)


def _out_of_range(name: str, value: object) -> ApiError | None:
    kind, low, high = _RANGES[name]
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole and not (kind == "decimal" and isinstance(value, float)):
        return _wrong_type(name, f"{'an' if kind == 'integer' else 'a'} {kind}", value)
    number: int | float = value  # type: ignore[assignment] # checked above; a float could not hold 400 digits
    if low <= number <= high:
        return None
    side, sign, bound = ("above_max", "<=", high) if number > high else ("below_min", ">=", low)
    message = (
        f"Invalid '{name}': {kind} {side.replace('_max', ' maximum').replace('_min', ' minimum')} value. "
        f"Expected a value {sign} {bound:g}, but got {str(value)[:_SHOWN]} instead."
    )
    return ApiError(400, message, param=name, code=f"{kind}_{side}_value")


def _wrong_type(name: str, expected: str, value: object) -> ApiError:
    got = {str: "a string", bool: "a boolean", list: "an array", dict: "an object"}.get(type(value), "another type")
    message = f"Invalid type for '{name}': expected {expected}, but got {got} instead."
    return ApiError(400, message, param=name, code="invalid_type")
