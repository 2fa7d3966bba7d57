"""Find the text of a request and estimate its tokens: one for four characters, as the provider advises."""

from collections.abc import Iterator
from typing import Any

MESSAGES = "/v1/messages"
"""Anthropic's endpoint, which a gateway may take in batches, too; bodies and answers are Anthropic's own."""

FIM = "/v1/fim/completions"
"""Mistral's endpoint for code with a gap."""

REQUIRED_MEMBER = {
    FIM: "prompt",
    MESSAGES: "messages",
    "/v1/chat/completions": "messages",
    "/v1/responses": "input",
    "/v1/completions": "prompt",
    "/v1/embeddings": "input",
    "/v1/moderations": "input",
    "/v1/images/generations": "prompt",
    "/v1/images/edits": "prompt",
    "/v1/videos": "prompt",
}
"""Every endpoint that a batch may name, and the member of the body with the user's question."""

_TEXT_MEMBERS = ("content", "text", "input", "prompt")


def tokens(text: str) -> int:
    """Return the estimated tokens of `text`, at least 1."""
    return -(-len(text) // 4) or 1


def prompt_text(endpoint: str, body: dict[str, Any]) -> str:
    """Return all text of a request, joined by line feeds."""
    before = (body.get(name) for name in ("instructions", "system") if name == "instructions" or endpoint == MESSAGES)
    texts = [text for each in before for text in _texts(each)]
    return "\n".join([*texts, *_texts(body.get(REQUIRED_MEMBER[endpoint]))])


def last_text(endpoint: str, body: dict[str, Any]) -> str:
    """Return the last text of a request, which the answer quotes."""
    texts = list(_texts(body.get(REQUIRED_MEMBER[endpoint])))
    return texts[-1] if texts else ""


def inputs(value: object) -> list[object]:
    """Return the separate inputs of an embeddings or moderations request: a list of token ids counts as one."""
    if isinstance(value, list) and value and not isinstance(value[0], int):
        return value
    return [value]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for member in _TEXT_MEMBERS:
            yield from _texts(value.get(member))
