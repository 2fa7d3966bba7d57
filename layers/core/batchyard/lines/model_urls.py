"""Urls in which the model of a request stands, as in Bedrock's runtime API: `/model/{modelId}/invoke` and `/converse`.

Source: botocore 1.44.8, bedrock-runtime 2023-09-30, InvokeModel and Converse: their `requestUri`, and the pattern of `modelId`.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

INVOKE: Final = "/model/*/invoke"
CONVERSE: Final = "/model/*/converse"
#: What stands for all urls of one operation, whatever their model: in `endpoint`, and in the facts and settings of providers.
OPERATIONS: Final = {"invoke": INVOKE, "converse": CONVERSE}
STREAMING: Final = frozenset({"invoke-with-response-stream", "converse-stream"})
SHAPE: Final = re.compile(r"/model(?P<model>/.*)?/(?P<operation>[a-z-]+)")
MODEL: Final = re.compile(r"[A-Za-z0-9._:/-]+")


class ModelUrl(NamedTuple):
    """What a url says; its spellings mean the same, and are one."""

    #: The model as people write it: a name, or an ARN; empty if the url names none, or none that can be.
    model: str
    #: The last part of the path.
    operation: str

    @property
    def url(self) -> str:
        """Spell the url, always the same."""
        return f"/model/{quote(self.model, safe=':')}/{self.operation}"

    @property
    def spellings(self) -> tuple[str, ...]:
        """List how the url is usually spelled."""
        others = (quote(self.model, safe=safe) for safe in ("", ":/"))
        return tuple(dict.fromkeys((self.url, *(f"/model/{model}/{self.operation}" for model in others))))


def read(url: str) -> ModelUrl | None:
    """Read a url; None if it is none with a model in it, though the operation may be any."""
    found = SHAPE.fullmatch(url)
    if found is None:
        return None
    try:
        model = unquote((found["model"] or "")[1:], errors="strict")
    except UnicodeDecodeError:
        model = ""
    return ModelUrl(model if MODEL.fullmatch(model) else "", found["operation"])


def same(url: str) -> str:
    """Return the one spelling of a url; any other text as it is."""
    found = read(url)
    return found.url if found and found.model else url


def operation_of(url: str) -> str | None:
    """Return what stands for all urls of the operation of a url; None for a url of another kind."""
    found = read(url) if url.startswith("/model/") else None
    return OPERATIONS.get(found.operation) if found else None
