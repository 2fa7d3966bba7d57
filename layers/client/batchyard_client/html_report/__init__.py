"""A batch as one page of HTML that needs nothing else: no network, no other file, nothing that data could run.

`page` is a pure function of the report and of the lines.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from . import sections
from .look import POLICY, SCRIPT, STYLE
from .markup import Markup, element, joined, number
from .sample import Pair, chosen, listed

__all__ = ["Pair", "page"]


def page(report: Mapping[str, Any], pairs: Iterable[Pair] = (), *, most: int = 200, total: int | None = None) -> str:
    """Return the page of a batch.

    `report` is report.json, to which `progress` may be added as the shards of a batch tell it. `pairs` are request lines, or
    None, with their result lines: at most `most` of them are shown. `total` says of how many lines they are a sample.
    """
    name = str(report.get("batch_id") or report.get("id") or "a batch")
    parts = [
        element("h1", "Batch ", element("bdi", name)),
        sections.summary(report),
        *_titled("Progress", sections.progress(report)),
        *_titled("Errors by code", sections.errors(report)),
        *_titled("Bad lines", sections.faults(report)),
        *_titled("Tokens and dollars by model", sections.models(report)),
        *_titled("Answers", _answers(pairs, most, name, total)),
        *_titled("At the provider", sections.shards(report)),
    ]
    return _document(name, joined(parts))


def _titled(title: str, part: Markup | None) -> list[Markup]:
    return [] if part is None else [element("h2", title), part]


def _answers(pairs: Iterable[Pair], most: int, seed: str, total: int | None) -> Markup | None:
    shown, came = chosen(pairs, most, seed)
    if not shown:
        return None
    told = (
        f"{number(len(shown))} of {number(max(came, total or 0))} lines, as a sample; failures, refusals and empty answers"
        " have up to half of the places."
    )
    words = Markup('<label>Words: <input type="search" name="words"></label>')
    failed = Markup('<label><input type="checkbox" name="failed"> without an answer</label><output></output>')
    return joined([element("p", told), element("form", words, failed), listed(shown)])


def _document(name: str, body: Markup) -> str:
    policy = element("meta", http_equiv="Content-Security-Policy", content=POLICY).removesuffix("</meta>")
    head = f'<meta charset="utf-8">{policy}<meta name="viewport" content="width=device-width">{element("title", name)}'
    head += f"<style>{STYLE}</style>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}<script>{SCRIPT}</script></body></html>\n'
