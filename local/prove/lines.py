"""The requests that are sent: short questions with short answers, and one that no service can answer."""

import json
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from batch_client import Facts, Profile
from local.errors import ParameterError

MOST_TOKENS: Final = 16  # of an answer
CHAT: Final = "/v1/chat/completions"
#: A cheap model of a service, by the seller in the price list; elsewhere a person names one.
CHEAP: Final = {"openai": "gpt-4.1-nano", "anthropic": "claude-haiku-4-5", "groq": "llama-3.1-8b-instant",
                "mistral": "mistral-small-latest"}  # fmt: skip
_BAD: Final = "bad"
_REASONING: Final = re.compile(r"(o\d|gpt-[5-9])")  # which know a limit by its newer name alone

Body = dict[str, Any]


class Batch(NamedTuple):
    """What one job of the run is made of."""

    #: What it is for: `two`, `bad`, `hundred` or `cancel`.
    name: str
    lines: tuple[bytes, ...]
    ids: tuple[str, ...]

    @property
    def data(self) -> bytes:
        """Return the input."""
        return b"".join(self.lines)


class Asked(NamedTuple):
    """What is asked for: a model, at an endpoint."""

    model: str
    url: str


def asked_of(profile: Profile, model: str) -> Asked:
    """Return what to ask of a service: at its endpoint of chats, which may have the model in its name."""
    return Asked(model, _url_of(profile).replace("*", model))


def _url_of(profile: Profile) -> str:
    own = profile.facts.endpoints
    if profile.dialect == "openai" and not any(url.endswith("/chat/completions") for url in own):
        return CHAT
    return next((url for url in own if _maker_of(url)), own[0] if own else CHAT)


def batches(asked: Asked, facts: Facts, run: str) -> list[Batch]:
    """Return the jobs of a run, in the order in which they are sent; none is smaller than the service takes."""
    sizes = {"two": 2, "bad": 2, "hundred": 100, "cancel": 20}
    found = [_batch(asked, name, max(size, facts.least_lines), run) for name, size in sizes.items()]
    of_one_size = facts.least_lines >= sizes["hundred"]
    return [batch for batch in found if not (of_one_size and batch.name == "two")]


def _batch(asked: Asked, name: str, count: int, run: str) -> Batch:
    ids = [f"prove {run} {name} {number}" for number in range(1, count + 1)]
    if name == _BAD:
        ids[-1] = f"prove {run} {name} line"
    lines = [_line(asked, custom_id, bad=name == _BAD and custom_id == ids[-1]) for custom_id in ids]
    return Batch(name, tuple(lines), tuple(ids))


def _line(asked: Asked, custom_id: str, *, bad: bool) -> bytes:
    make = _maker_of(asked.url)
    if make is None:
        raise ParameterError(f"make prove has no question for {asked.url}, the endpoint of this service.")
    body = make(asked.model, f"Say {custom_id.rpartition(' ')[2]}.")
    if bad:
        body["messages"] = []
    line = {"custom_id": custom_id, "method": "POST", "url": asked.url, "body": body}
    return json.dumps(line).encode() + b"\n"


def _maker_of(url: str) -> Callable[[str, str], Body] | None:
    makers = {"/chat/completions": _chat, "/messages": _message, "/converse": _converse}
    return next((make for end, make in makers.items() if url.endswith(end)), None)


def _chat(model: str, text: str) -> Body:
    limit = "max_completion_tokens" if _REASONING.match(model) else "max_tokens"
    return {"model": model, "messages": [{"role": "user", "content": text}], limit: MOST_TOKENS}


def _message(model: str, text: str) -> Body:
    return {"model": model, "max_tokens": MOST_TOKENS, "messages": [{"role": "user", "content": text}]}


def _converse(model: str, text: str) -> Body:  # noqa: ARG001 - the url names the model
    messages = [{"role": "user", "content": [{"text": text}]}]
    return {"messages": messages, "inferenceConfig": {"maxTokens": MOST_TOKENS}}
