"""What is asked of each row: the recipe, and the body of a request that follows from it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal
from urllib.parse import unquote

from .errors import RecipeError
from .schema import OutputSchema, output_schema
from .template import Column, parsed

CHAT, RESPONSES, EMBEDDINGS = "/v1/chat/completions", "/v1/responses", "/v1/embeddings"
MESSAGES: Final = "/v1/messages"
MODEL_URL: Final = re.compile(
    r"/model/(?P<model>[^*]+)/(invoke|converse)"
)  # of Amazon Bedrock: the url names the model
USUAL_LIMIT: Final = 4_096  # tokens of a message, unless the body says; the endpoint demands a limit
Nulls = Literal["refuse", "skip", "empty"]
#: The member that holds the prompt, at endpoints that take it as plain text.
_PLAIN: Final = {
    "/v1/completions": "prompt",
    "/v1/images/generations": "prompt",
    "/v1/moderations": "input",
    "/v1/videos": "prompt",
}
_NULLS: Final = ("refuse", "skip", "empty")


@dataclass(frozen=True)
class Text:
    """A text of the body, into which cells go."""

    parts: tuple[str | Column, ...]


@dataclass(frozen=True)
class Picture:
    """A part of the body with the image of a row, left out for a row without one."""

    column: str
    endpoint: str


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What each row is asked: a prompt, a body or an embedding, and how."""

    #: The model, unless `body` names it.
    model: str | None = None
    #: The question; `{column}` stands for the cell, `{{` and `}}` for braces.
    prompt: str | None = None
    #: The system message, with columns like the prompt.
    system: str | None = None
    #: Members of each request's body; every text in it may name columns.
    body: Mapping[str, Any] | None = None
    #: The column of images: addresses, `data:` addresses, paths, or bytes.
    image_column: str | None = None
    #: A JSON schema that the answer must have; its members become columns.
    schema: Mapping[str, Any] | None = None
    #: The column whose text is embedded.
    embed: str | None = None
    #: The endpoint; by default what fits the rest.
    endpoint: str | None = None
    #: What to do with a row whose needed cell is null: `refuse`, `skip` the row, or send `empty` text.
    nulls: Nulls = "refuse"

    def __post_init__(self) -> None:
        self._check_what()
        self._check_url()
        self._check_where()
        _ = self.columns  # so that a wrong template is told at once

    @cached_property
    def url(self) -> str:
        """Name the endpoint."""
        if self.endpoint is not None:
            return self.endpoint
        if self.embed is not None:
            return EMBEDDINGS
        return RESPONSES if self.body is not None and "input" in self.body else CHAT

    @cached_property
    def output(self) -> OutputSchema | None:
        """Read the schema."""
        return None if self.schema is None else output_schema(self.schema)

    @cached_property
    def template(self) -> dict[str, Any]:
        """Build the body of a request, with `Text` and `Picture` where cells go."""
        given = (
            {} if self.body is None else {name: _templates(each, f"body.{name}") for name, each in self.body.items()}
        )
        made = dict(self._made())
        if twice := [name for name in made if name in given and name != "model"]:
            raise RecipeError(f"The body has {twice[0]!r}, and another option makes it. Leave one of the two out")
        if MODEL_URL.fullmatch(self.url):
            return {**given, **made}
        model = {"model": self.model} if self.model is not None else {}
        body = {**model, **{name: each for name, each in given.items() if not (model and name == "model")}, **made}
        if not body.get("model"):
            raise RecipeError("Name a model, with --model or in the body")
        return body

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Name the columns that a request needs, in the order in which the body has them."""
        found = tuple(dict.fromkeys(_columns(self.template)))
        if not found:
            raise RecipeError("No text names a column, so that every row would be asked the same. Write {column}")
        return found

    def _check_what(self) -> None:
        for name in ("body", "schema"):
            given = getattr(self, name)
            if given is not None and not isinstance(given, Mapping):
                raise RecipeError(f"{name} is a {type(given).__name__}. Give a dict, as json.load reads it from a file")
        if self.prompt is not None and self.embed is not None:
            raise RecipeError("Give prompt or embed, not both")
        if self.prompt is None and self.embed is None and not self.body:
            raise RecipeError("Give a prompt, a body, or a column to embed")
        if self.nulls not in _NULLS:
            raise RecipeError(f"nulls is {self.nulls!r}. Take one of {', '.join(_NULLS)}")

    def _check_url(self) -> None:
        if not self.url.startswith("/"):
            raise RecipeError(f"The endpoint is {self.url!r}. Write it as a path: {CHAT}")
        if "*" in self.url:
            raise RecipeError(f"The endpoint {self.url} is a pattern. Name one url: /model/MODEL/converse")
        named = MODEL_URL.fullmatch(self.url)
        if named and self.model not in (None, unquote(named["model"])):
            raise RecipeError(f"The endpoint {self.url} names the model, and model is {self.model!r}. Leave model out")

    def _check_where(self) -> None:
        talks = self.url in (CHAT, RESPONSES, MESSAGES)
        for name in ("system", "image_column"):
            if getattr(self, name) is not None and (self.prompt is None or not talks):
                raise RecipeError(f"{name} needs a prompt, and {CHAT}, {RESPONSES} or {MESSAGES}")
        if self.image_column is not None and self.url == MESSAGES:
            raise RecipeError(f"image_column is not made for {MESSAGES}. Give the body")
        if self.output and not talks:
            raise RecipeError(f"A schema needs {CHAT}, {RESPONSES} or {MESSAGES}")
        if self.embed is not None and self.url != EMBEDDINGS:
            raise RecipeError(f"embed needs {EMBEDDINGS}")
        if self.prompt is not None and not talks and self.url not in _PLAIN:
            raise RecipeError(f"It is not known how {self.url} takes a prompt. Give the body")

    def _made(self) -> Iterator[tuple[str, Any]]:
        """Yield the members that the options make."""
        if self.embed is not None:
            yield "input", Text((Column(self.embed),))
        elif self.prompt is not None:
            yield from self._asked(_text(self.prompt, "prompt"))
        if self.output is not None:
            told = {"name": self.output.name, "schema": self.output.schema, "strict": self.output.strict}
            if self.url == RESPONSES:
                yield "text", {"format": {"type": "json_schema", **told}}
            elif self.url == MESSAGES:
                yield "output_config", {"format": {"type": "json_schema", "schema": self.output.schema}}
            else:
                yield "response_format", {"type": "json_schema", "json_schema": told}

    def _asked(self, prompt: object) -> Iterator[tuple[str, Any]]:
        if self.url in _PLAIN:
            yield _PLAIN[self.url], prompt
            return
        content = prompt
        if self.image_column is not None:
            kind = "input_text" if self.url == RESPONSES else "text"
            content = [{"type": kind, "text": prompt}, Picture(self.image_column, self.url)]
        system = None if self.system is None else _text(self.system, "system")
        user = {"role": "user", "content": content}
        if self.url == RESPONSES:
            if system is not None:
                yield "instructions", system
            yield "input", prompt if self.image_column is None else [user]
        elif self.url == MESSAGES:
            if system is not None:
                yield "system", system
            if "max_tokens" not in (self.body or {}):
                yield "max_tokens", USUAL_LIMIT
            yield "messages", [user]
        else:
            yield "messages", [user] if system is None else [{"role": "system", "content": system}, user]


def _text(template: str, where: str) -> object:
    parts = parsed(template, where)
    return Text(parts) if any(isinstance(part, Column) for part in parts) else "".join(map(str, parts))


def _templates(value: object, where: str) -> object:
    """Read each text within a value as a template."""
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, Mapping):
        return {name: _templates(each, f"{where}.{name}") for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_templates(each, f"{where}[{number}]") for number, each in enumerate(value)]
    return value


def _columns(value: object) -> Iterator[str]:
    if isinstance(value, Text):
        yield from (part.name for part in value.parts if isinstance(part, Column))
    elif isinstance(value, Picture):
        yield value.column
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _columns(each)
    elif isinstance(value, list):
        for each in value:
            yield from _columns(each)
