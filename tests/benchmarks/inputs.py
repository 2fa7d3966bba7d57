"""The files the benchmarks read: made once, the same on every machine, kept below `.cache/bench`."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

CACHE = Path(".cache/bench")
MODEL = "gpt-4o-mini"
WORDS = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which "
    "one you were all her she there would their we him been has when who will no more if out so said what up its about "
    'than into them can only other time new some could these two may first then do any like my now over such "quoted"'
)
_WORD, _ENTITY = {"type": "string"}, {"name": {"type": "string"}, "weight": {"type": "number", "minimum": 0}}
# What an extraction asks for: text, a choice, a number, a list, and a list of objects.
SCHEMA = {
    "type": "object", "additionalProperties": False,
    "required": ["summary", "language", "score", "tags", "entities"],
    "properties": {
        "summary": _WORD, "language": {"enum": ["en", "de", "fr"]}, "score": {"type": "integer"},
        "tags": {"type": "array", "items": _WORD},
        "entities": {
            "type": "array", "items": {"type": "object", "required": ["name", "weight"], "properties": _ENTITY},
        },
    },
}  # fmt: skip
WITH_SCHEMA = {"type": "json_schema", "json_schema": {"name": "extraction", "strict": True, "schema": SCHEMA}}
FOREIGN = " résumé naïve Zürich 東京 … €"
FOREIGN_SHARE = 0.2  # of the lines have characters beyond ASCII


def chat(size: int, lines: Callable[[random.Random], int], name: str, **body: object) -> Path:
    """Return a file of chat requests of about `size` bytes, each line as long as `lines` draws, with `body` in each."""
    return _kept(f"{name}-{size}.jsonl", lambda: _chat_lines(size, lines, body))


def doubled(path: Path) -> Path:
    """Return a file that holds another twice, so that each custom_id is used twice."""

    def twice() -> Iterator[bytes]:
        for _ in range(2):
            with path.open("rb") as file:
                yield from file

    return _kept(f"doubled-{path.name}", twice)


def unordered(path: Path) -> Path:
    """Return a file of the same lines whose custom_ids are written backwards, and so come in no order."""

    def lines() -> Iterator[bytes]:
        start = len(b'{"custom_id": "')
        with path.open("rb") as file:
            for line in file:
                stop = line.index(b'"', start)
                yield line[:start] + line[start:stop][::-1] + line[stop:]

    return _kept(f"unordered-{path.name}", lines)


def mixed(chance: random.Random) -> int:
    """Draw a length from 300 B to 20 kB."""
    return chance.randint(300, 20_000)


def small(chance: random.Random) -> int:
    """Draw a length about 600 B."""
    return chance.randint(450, 750)


def shortest(chance: random.Random) -> int:
    """Draw a length about 240 B: many lines in few bytes."""
    return chance.randint(220, 260)


def answer(
    chance: random.Random, number: int, custom_id: str, length: int, status: int = 200, *, fits: bool = False
) -> bytes:
    """Make a line of an output or error file as the provider writes it, about `length` bytes long.

    Its text is prose; with `fits`, it is JSON that fits SCHEMA.
    """
    mark = f"{chance.getrandbits(96):024x}"
    usage = {"prompt_tokens": 300, "completion_tokens": length // 4, "total_tokens": 300 + length // 4}
    text = _text(chance, length - 640)
    told = {"role": "assistant", "content": _document(chance, number, text) if fits else text, "refusal": None}
    body = {
        "id": f"chatcmpl-{mark}", "object": "chat.completion", "created": 1_790_000_000 + number, "model": MODEL,
        "choices": [{"index": 0, "message": told, "logprobs": None, "finish_reason": "stop"}], "usage": usage,
        "system_fingerprint": "fp_44709d6fcb",
    }  # fmt: skip
    refused = {"error": {"message": "Too long", "type": "invalid_request_error", "code": "context_length_exceeded"}}
    response = {"status_code": status, "request_id": mark, "body": body if status < 300 else refused}
    line = {"id": f"batch_req_{mark}", "custom_id": custom_id, "response": response, "error": None}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _document(chance: random.Random, number: int, text: str) -> str:
    tags = chance.choices(WORDS.split(), k=5)
    named = [{"name": tag, "weight": round(chance.random(), 3)} for tag in tags]
    return json.dumps({"summary": text, "language": "en", "score": number, "tags": tags, "entities": named})


def _kept(name: str, make: Callable[[], Iterator[bytes]]) -> Path:
    path = CACHE / name
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        with partial.open("wb") as file:
            file.writelines(make())
        partial.rename(path)
    return path


def _chat_lines(size: int, lines: Callable[[random.Random], int], more: Mapping[str, object]) -> Iterator[bytes]:
    chance = random.Random(7)  # noqa: S311 - made the same each time
    written = number = 0
    while written < size:
        line = _request(chance, number, lines(chance), more)
        yield line
        written += len(line)
        number += 1


def _request(chance: random.Random, number: int, length: int, more: Mapping[str, object]) -> bytes:
    messages = [
        {"role": "system", "content": "Answer shortly."},
        {"role": "user", "content": _text(chance, length - 215)},
    ]
    body = {"model": MODEL, "messages": messages, "max_tokens": 400, **more}
    custom_id = f"task-{number:08}-{chance.getrandbits(44):011x}"
    line = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _prose(told: str) -> str:
    words = told.split()
    chance = random.Random(11)  # noqa: S311 - made the same each time
    ends = (" ", " ", " ", " ", " ", " ", " ", ", ", ".\n")
    return "".join(chance.choice(words) + chance.choice(ends) for _ in range(60_000))


_PLAIN, _FOREIGN = _prose(WORDS), _prose(WORDS + FOREIGN)


def _text(chance: random.Random, length: int) -> str:
    prose = _FOREIGN if chance.random() < FOREIGN_SHARE else _PLAIN
    start = chance.randrange(len(prose) - 30_000)
    return prose[start : start + max(1, length)]
