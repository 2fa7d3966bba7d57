"""One line of an input: what the plan needs of the line, or what is wrong with the line, in the provider's codes."""

import json
from collections.abc import Set
from functools import lru_cache
from itertools import filterfalse
from typing import Any, Final, Literal

import msgspec

from batchyard.domain import nesting
from batchyard.domain.batch import BatchError
from batchyard.lines import messages, model_urls
from batchyard.lines.file_kinds import BOM, REMEDY, kind_of
from batchyard.lines.messages import MESSAGES

# Source: OpenAI's API reference, `POST /batches`, member `endpoint`; and the API whose bodies go as they are.
ENDPOINTS: Final = frozenset({
    "/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/v1/moderations",
    "/v1/images/generations", "/v1/images/edits", "/v1/videos", MESSAGES,
})  # fmt: skip
EMBEDDINGS: Final = "/v1/embeddings"
MODERATIONS: Final = "/v1/moderations"  # free, and its answers have no tokens
DUPLICATE: Final = "duplicate_custom_id"
LONGEST_MODEL: Final = 1_000  # characters; the name stands in the records of the batch and its shards
SHOWN_TEXT: Final = 64  # characters of a value that an error shows


class Body(msgspec.Struct, gc=False):
    """The members of a request body that decide which shard a line goes to."""

    model: str
    stream: Any = None
    input: msgspec.Raw = msgspec.Raw(b"")


class Line(msgspec.Struct, gc=False):
    """A well-formed line; all other members are left unread."""

    custom_id: str
    method: Literal["POST"]
    url: str
    body: Body


# What a line must have, its type, and how the type is called.
_MEMBERS: Final[dict[str, tuple[type, str]]] = {
    "custom_id": (str, "a string"), "method": (str, "a string"), "url": (str, "a string"), "body": (dict, "an object"),
}  # fmt: skip
# Lines that are often taken for requests, by the members that tell them.
_OTHER_LINES: Final = {
    frozenset({"custom_id", "params"}): (
        f"a request of Anthropic's message batches: here `params` is `body`, and `url` is {MESSAGES!r}"
    ),
    frozenset({"modelInput"}): (
        "a record of Bedrock's batch inference: here `recordId` is `custom_id`, `modelInput` is `body`, and `url` is "
        "'/model/{modelId}/invoke'"
    ),
    frozenset({"custom_id", "response"}): "a result of a batch, and not a request",
    frozenset({"model", "messages"}): "the body of a request alone",
}
_LINE = msgspec.json.Decoder(Line)
_INPUTS = msgspec.json.Decoder(list[msgspec.Raw])


def parse(text: bytes) -> Line:
    """Decode a line; raises ValueError when it is not well-formed."""
    text.decode()  # the decoder does not look inside the members it skips
    nesting.check(text)
    return _LINE.decode(text)


def parse_alike(lines: list[bytes], url: str, model: str) -> list[str] | None:
    """Return the custom_ids of lines that are all well-formed requests for one url and model.

    None if any line is another one, or has to be parsed by itself.
    """
    if nesting.is_any_too_deep(lines):
        return None
    try:
        custom_ids = [line.custom_id for line in map(_alike(url, model).decode, lines)]
        for line in filterfalse(bytes.isascii, lines):
            line.decode()  # as in `parse`
    except (ValueError, RecursionError):  # nothing bounds a short line that breaks off
        return None
    return None if "" in custom_ids else custom_ids


@lru_cache(maxsize=64)
def _alike(url: str, model: str) -> Any:  # noqa: ANN401 - a decoder of a type made here
    """Make a decoder that takes only lines of this url and model, not streamed: to compare is cheaper than to decode."""
    native: list[Any] = [("model", Literal[model]), *(messages.SOUND_MEMBERS if url == MESSAGES else [])]
    spelled: Any = Literal[url]
    if (in_url := model_urls.read(url)) is not None:
        native = [("model", Literal[model] | None, None), ("modelId", Literal[model] | None, None)]
        spelled = Literal[in_url.spellings]
    body = msgspec.defstruct("AlikeBody", [*native, ("stream", Literal[False] | None, None)], gc=False)
    line = msgspec.defstruct(
        "AlikeLine", [("custom_id", str), ("method", Literal["POST"]), ("url", spelled), ("body", body)], gc=False
    )
    return msgspec.json.Decoder(line)


def is_of_embeddings(url: str) -> bool:
    """Tell whether lines of a url ask for embeddings, whatever the version of the API."""
    return url.endswith("/embeddings")


def fault_of(line: Line, endpoint: str | None, urls: Set[str] = ENDPOINTS) -> BatchError | None:
    """Say what the provider would refuse in a well-formed line; None if nothing.

    `endpoint` is the batch's, None when the lines decide. `urls` are those that a line may have.
    """
    if line.url not in urls or (endpoint is not None and line.url != endpoint):
        expected = endpoint or "one of " + ", ".join(sorted(urls))
        return BatchError("invalid_url", f"The url {shown(line.url)} is not {expected}. Change `url`.", "url")
    if line.body.stream is True:
        return BatchError(
            "streaming_unsupported", "A batch cannot stream. Remove `stream` from the body.", "body.stream"
        )
    if not line.custom_id:
        return BatchError("invalid_value", "The custom_id is empty. Give the line a unique one.", "custom_id")
    if not line.body.model:
        return BatchError("invalid_request", "The model is empty. Name one in the body.", "body.model")
    if len(line.body.model) > LONGEST_MODEL:
        message = f"The model's name is longer than {LONGEST_MODEL:,} characters. Name one that there is."
        return BatchError("invalid_request", message, "body.model")
    return None


def duplicate(custom_id: str, first: int | None = None) -> BatchError:
    """Say that an earlier line has this custom_id: the line with the number `first`, if that is known."""
    earlier = f"line {first:,}" if first else "an earlier line"
    message = f"The custom_id {shown(custom_id)} is used by {earlier}. Each must be unique in the file."
    return BatchError(DUPLICATE, message, "custom_id")


def too_many_targets(most: int) -> BatchError:
    """Say that the target of the line would be one too many."""
    message = f"The input has more than {most:,} different models (counted for each endpoint). Split it by model."
    return BatchError("invalid_request", message, "body.model")


def too_long(size: int, limit: int) -> BatchError:
    """Say that a line, of `size` bytes or more, is longer than the limit."""
    return BatchError(
        "invalid_request",
        f"The line is longer than {limit:,} bytes ({size:,} or more). Shorten it.",
    )


def embedding_inputs(line: Line) -> int:
    """Count the inputs of an embeddings line: the items of an array of texts or of token lists, else one. 0 for other lines."""
    if not is_of_embeddings(line.url):
        return 0
    inputs = bytes(line.body.input)
    items = _INPUTS.decode(inputs) if inputs.startswith(b"[") else []
    one_text_as_tokens = bool(items) and bytes(items[0])[:1] not in {b'"', b"["}
    return 1 if one_text_as_tokens else max(1, len(items))


def diagnose(text: bytes) -> BatchError:
    """Say what is wrong with a line that `parse` refused: the provider's code, the member and the remedy."""
    try:
        decoded = text.decode()
        nesting.check(text)
        members = json.loads(decoded)
    except UnicodeDecodeError as error:
        kind = kind_of(text)
        if kind is not None:
            return _broken(f"it is {kind}. {REMEDY}.")
        return _broken(f"it is not UTF-8 at byte {error.start + 1} of the line. Save the file as UTF-8.")
    except nesting.TooDeep as error:
        return _broken(f"{error}. Flatten it.")
    except json.JSONDecodeError as error:
        return _broken(_syntax(text, error))
    except ValueError:
        return _broken("it holds a number too long to read.")
    if isinstance(members, list):
        return _broken("it is an array. Write one request object per line, without brackets and commas between.")
    if not isinstance(members, dict):
        return _broken("it is not a JSON object. Write one request object per line.")
    return _member(members) or _broken(
        "it holds a value JSON does not know, such as NaN or a lone surrogate, or names one parameter twice."
    )


def custom_id_of(text: bytes) -> str | None:
    """Read the custom_id of a bad line, for its owner to find the line by; None if there is none."""
    try:
        members = json.loads(nesting.with_few_levels(text).decode("utf-8-sig"))
        custom_id = members.get("custom_id") if isinstance(members, dict) else None
        return custom_id if isinstance(custom_id, str) and custom_id.encode() else None
    except ValueError:  # no JSON, or half a surrogate pair
        return None


def _syntax(text: bytes, error: json.JSONDecodeError) -> str:
    if text.startswith(BOM):
        return "it begins with a byte order mark. Save the file as UTF-8 without BOM."
    return f"{error.msg.removesuffix(' at')} at character {error.pos + 1}. Write one complete JSON object per line."


def _broken(why: str) -> BatchError:
    return BatchError("invalid_json_line", f"The line could not be read as JSON: {why}")


def _member(members: dict[str, Any]) -> BatchError | None:
    missing = [name for name in _MEMBERS if members.get(name) is None]
    if missing:
        return _missing(missing, members)
    for name, (expected, said) in _MEMBERS.items():
        if not isinstance(members[name], expected):
            return BatchError("invalid_type", f"The parameter '{name}' must be {said}.", name)
    if members["method"] != "POST":
        return BatchError(
            "invalid_value", f"The method {shown(members['method'])} is not POST. Change `method`.", "method"
        )
    return None if model_urls.read(members["url"]) else _model(members["body"])


def _missing(names: list[str], members: dict[str, Any]) -> BatchError:
    """Name all that is missing, and what the line seems to be, for a person who has taken another file."""
    many = len(names) > 1
    listed = ", ".join(f"'{name}'" for name in names)
    seems = next((f" The line looks like {kind}." for sign, kind in _OTHER_LINES.items() if sign <= members.keys()), "")
    message = f"The required parameter{'s' if many else ''} {listed} {'are' if many else 'is'} missing.{seems}"
    return BatchError("missing_required_parameter", f"{message} Add {'them' if many else 'it'}.", names[0])


def _model(body: dict[str, Any]) -> BatchError | None:
    if body.get("model") is None:
        return BatchError("invalid_request", "The model is missing from the body. Name one.", "body.model")
    if not isinstance(body["model"], str):
        return BatchError("invalid_type", "The parameter 'body.model' must be a string.", "body.model")
    return None


def shown(text: str) -> str:
    """Quote the first characters of a text."""
    short = text if len(text) <= SHOWN_TEXT else text[:SHOWN_TEXT] + "…"
    return repr(short.encode("utf-8", "replace").decode())
