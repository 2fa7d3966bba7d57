"""Text as HTML: whatever it holds, it is shown and never obeyed."""

import html
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from batchyard_client.screen import usd_words

# Characters that HTML forbids, and halves of surrogate pairs.
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
#: What stands for a value that is not known.
UNKNOWN: Final = "\u2013"
_LACKS: Final = "\ufffd"


class Markup(str):
    """HTML that is right as it stands; any other text is escaped before it goes into a page."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Return a value as HTML."""
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(_FORBIDDEN.sub(_LACKS, str(value)), quote=True))


def element(name: str, *inner: object, **attributes: object) -> Markup:
    """Return an element; in the names of attributes `class_` stands for `class`, and `aria_label` for `aria-label`."""
    named = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    told = "".join(f' {key}="{text(value)}"' for key, value in named)
    return Markup(f"<{name}{told}>{joined(inner)}</{name}>")


def joined(parts: Iterable[object]) -> Markup:
    """Put parts behind each other."""
    return Markup("".join(map(text, parts)))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> Markup:
    """Return a table; `numbers` are the columns that hold numbers."""

    def cells(name: str, row: Sequence[object]) -> Markup:
        kinds = ("number" if place in numbers else None for place in range(len(row)))
        return joined(element(name, cell, class_=kind) for cell, kind in zip(row, kinds, strict=True))

    body = joined(element("tr", cells("td", row)) for row in rows)
    return element("table", element("thead", element("tr", cells("th", heads))), element("tbody", body))


def moment(seconds: object) -> str:
    """Write Unix seconds as a time in UTC."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < 2**35:
        return UNKNOWN
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def number(value: object) -> str:
    """Write a whole number with commas."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else UNKNOWN


def dollars(value: object) -> str:
    """Write an amount; a dash for one that is not known."""
    return f"${usd_words(value)}" if isinstance(value, int | float) and not isinstance(value, bool) else UNKNOWN
