"""Some answers beside their requests: chosen by chance, the same each time, with room kept for those that failed."""

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import msgspec

from batch_client import decode_mended

from ..tables.answers import error_of
from ..tables.shapes import found_in
from .markup import Markup, element, joined

#: A request line, or None where it is not at hand, and its result line; with the number of the line where it is known.
Pair = tuple[bytes | None, bytes] | tuple[bytes | None, bytes, int]
_LONGEST: Final = 4_000  # characters of a text that is shown
_HEAD: Final = 100
_TITLES: Final = {"failed": "Error", "refused": "Refusal", "empty": "No answer"}


@dataclass(frozen=True)
class Shown:
    """A pair as it is shown."""

    #: The number of the line, or of the pair, from 1.
    number: int
    custom_id: str
    asked: str
    answer: str
    #: What became of the request: `answered`, `refused` by the model, `empty`, or `failed`.
    state: str
    #: What is wrong, in words; None if nothing is.
    trouble: str | None


def chosen(pairs: Iterable[Pair], most: int, seed: str) -> tuple[list[Shown], int]:
    """Choose pairs in one pass, at most half of them failures where there are enough others; return them and how many came."""
    chance = random.Random(seed.encode(errors="replace"))  # noqa: S311 - chosen the same each time
    good: list[tuple[int, Pair]] = []
    failed: list[tuple[int, Pair]] = []
    seen = {True: 0, False: 0}
    number = 0
    for number, pair in enumerate(pairs, 1):
        fails = _fails(pair[1])
        seen[fails] += 1
        kept, place = (failed if fails else good), chance.randrange(seen[fails])
        if len(kept) < most:
            kept.append((number, pair))
        elif place < most:
            kept[place] = (number, pair)
    half = max(most // 2, most - len(good))
    some = chance.sample(failed, min(half, len(failed)))
    some += chance.sample(good, min(most - len(some), len(good)))
    return [shown(*each) for each in sorted(some, key=itemgetter(0))], number


def shown(number: int, pair: Pair) -> Shown:
    """Read a pair."""
    request, result = _mapping(pair[0] or b"{}"), _mapping(pair[1])
    answer, state, trouble = _outcome(result, request.get("url"))
    name = result.get("custom_id", request.get("custom_id", ""))
    asked = _asked(_inner(request, "body")) if request else "The request is not at hand."
    return Shown(pair[2] if len(pair) > 2 else number, str(name), _cut(asked), _cut(_plain(answer)), state, trouble)


def _outcome(result: Mapping[str, Any], url: object = None) -> tuple[object, str, str | None]:
    """Return the answer of a result, what became of its request, and what is wrong."""
    body = _inner(_inner(result, "response"), "body")
    fine = bool(body) and not body.get("error")
    answer, reason, refusal = found_in(str(url or ""), body) if fine else (None, None, None)
    if (error := error_of(result)) is not None:
        return answer, "failed", error
    if refusal is not None:
        return answer, "refused", refusal
    if not _plain(answer).strip():
        return answer, "empty", f"the answer is empty{f', and its finish_reason is {reason}' if reason else ''}"
    return answer, "answered", None


def _fails(line: bytes) -> bool:
    return _outcome(_mapping(line))[2] is not None


def listed(pairs: Iterable[Shown]) -> Markup:
    """Return the pairs as HTML, each folded."""
    return joined(map(_one, pairs))


def _one(pair: Shown) -> Markup:
    told = pair.answer if pair.trouble is None else pair.trouble
    state = element("b", pair.state, class_="good" if pair.trouble is None else "bad")
    head = element(
        "summary",
        f"{pair.number} · ",
        element("bdi", pair.custom_id),
        " · ",
        state,
        " · ",
        element("bdi", told[:_HEAD]),
    )
    answers = [element("h3", _TITLES[pair.state]), element("pre", pair.trouble)] if pair.trouble is not None else []
    if pair.answer or pair.trouble is None:
        answers += [element("h3", "Answer"), element("pre", pair.answer)]
    sides = [element("div", element("h3", "Request"), element("pre", pair.asked)), element("div", *answers)]
    return element(
        "details", head, element("div", *sides, class_="pair"), class_=None if pair.trouble is None else "failed"
    )


def _asked(body: Mapping[str, Any]) -> str:
    """Write what a request asks, and its other members behind that."""
    said: list[str] = []
    rest = dict(body)
    if isinstance(messages := rest.get("messages"), list) and all(isinstance(each, dict) for each in messages):
        said += [f"{each.get('role')}: {_plain(each.get('content'))}" for each in messages]
        del rest["messages"]
    for name in ("instructions", "system", "input", "prompt"):
        if isinstance(rest.get(name), str):
            said.append(f"{name}: {rest.pop(name)}")
    return "\n\n".join([*said, _plain(rest)])


def _plain(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _cut(long: str) -> str:
    left = len(long) - _LONGEST
    return f"{long[:_LONGEST]}… and {left:,} characters more" if left > 0 else long


def _mapping(line: bytes) -> Mapping[str, Any]:
    """Read a line; what is no JSON object is shown as nothing."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        try:
            found = decode_mended(line)
        except (ValueError, RecursionError):
            found = {"error": {"message": "This line is no JSON."}}
    return found if isinstance(found, dict) else {"error": {"message": "This line is no JSON object."}}


def _inner(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}
