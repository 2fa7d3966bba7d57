"""Texts with columns in braces: `Sentiment of: {text}`."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .errors import MissingColumn, RecipeError

_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_ESCAPES: Final = {"{{": "{", "}}": "}"}
_BRACES: Final = "Write {{ and }} for braces that are text"
_SHOWN: Final = 60


@dataclass(frozen=True)
class Column:
    """A place where the text of a cell goes."""

    name: str


def parsed(text: str, where: str) -> tuple[str | Column, ...]:
    """Cut a template into texts and columns; `where` says in messages which template it is."""
    parts: list[str | Column] = []
    end = 0
    for found in _PART.finditer(text):
        parts.append(text[end : found.start()])
        parts.append(_part(found, text, where))
        end = found.end()
    parts.append(text[end:])
    return tuple(_joined(parts))


def _part(found: re.Match[str], text: str, where: str) -> str | Column:
    if found[0] in _ESCAPES:
        return _ESCAPES[found[0]]
    if found[1]:
        return Column(found[1])
    around = text[max(0, found.start() - _SHOWN // 2) : found.start() + _SHOWN // 2]
    told = "names no column" if found[0] == "{}" else "stands alone"
    raise RecipeError(f"{where}: {found[0]} {told}, in {around!r}. {_BRACES}")


def _joined(parts: Sequence[str | Column]) -> Iterator[str | Column]:
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
        yield part
        text = ""
    if text:
        yield text


def check_columns(wanted: Sequence[str], columns: Sequence[str], table: str) -> None:
    """Refuse columns that the table has not, all at once, with the names that are near."""
    missing = [name for name in dict.fromkeys(wanted) if name not in columns]
    if not missing:
        return
    told = "; ".join(f"there is no column {name!r}{_near(name, columns)}" for name in missing)
    listed = ", ".join(map(repr, columns)) or "none"
    hint = f". {_BRACES}" if any(re.search(r"\W", name) for name in missing) else ""
    raise MissingColumn(f"{table}: {told}. Its columns: {listed}{hint}")


def _near(name: str, columns: Sequence[str]) -> str:
    folded = {column.strip().casefold(): column for column in columns}
    close = difflib.get_close_matches(name.strip().casefold(), folded, n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(repr(folded[each]) for each in close)}?)" if close else ""
