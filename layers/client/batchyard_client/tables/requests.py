"""A table as request lines: the same bytes for the same rows and recipe."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from .cells import cell_text, image_address
from .errors import CellError, NullCell
from .recipe import CHAT, Picture, Recipe, Text
from .table import Block, Table
from .template import Column, check_columns

_ENCODE: Final = msgspec.json.Encoder().encode
_PICTURE: Final = {
    True: (b'{"type":"image_url","image_url":{"url":"', b'"}}'),
    False: (b'{"type":"input_image","image_url":"', b'"}'),
}
_Pieces = list[bytes | Column | Picture]


def requests(table: Table, recipe: Recipe) -> Iterator[bytes]:
    """Return one line of OpenAI's batch format for each row, `row-1` the first; a column that is missing is told at once."""
    check_columns(recipe.columns, table.columns, table.name)
    return _lines(table, recipe)


def skips(table: Table, recipe: Recipe, block: Block) -> Sequence[str | None]:
    """Name for each row of a block that `requests` leaves out the first column that is null."""
    if recipe.nulls != "skip":
        return [None] * block.count
    empty = {name: _is_empty_null(table, recipe, name) for name in recipe.columns}
    columns = [[_is_null(cell, empty=empty[name]) for cell in block.column(name)] for name in recipe.columns]
    named = [zip(recipe.columns, row, strict=True) for row in zip(*columns, strict=True)]
    return [next((name for name, is_null in row if is_null), None) for row in named]


def _is_null(value: object, *, empty: bool) -> bool:
    return value is None or (empty and isinstance(value, str) and not value)


def _is_empty_null(table: Table, recipe: Recipe, name: str) -> bool:
    """Tell whether empty text is null in a column: nothing else is in CSV, and no image is empty text."""
    return table.empty_is_null or name == recipe.image_column


@dataclass(frozen=True)
class _Form:
    """A line with gaps: a format of bytes, and what goes in after the number of the row, by its place among the fillings."""

    format: bytes
    fillings: tuple[int, ...]


def _lines(table: Table, recipe: Recipe) -> Iterator[bytes]:
    fillings = list(dict.fromkeys(_fillings(recipe.template)))
    whole, bare = (_form(recipe, fillings, pictured=pictured) for pictured in (True, False))
    straight = whole.fillings == tuple(range(len(fillings)))
    picture = next((place for place, each in enumerate(fillings) if isinstance(each, Picture)), None)
    for block in table.blocks(recipe.columns):
        cells = _Cells(table, recipe, block)
        columns = [cells.encoded(each) for each in fillings]
        rows = zip(*columns, strict=True)
        if straight and not cells.nulls:
            for row, values in enumerate(rows, block.first):
                yield whole.format % (row, *values)
            continue
        for row, found in enumerate(rows, block.first):
            if None in found and recipe.nulls == "skip":
                continue
            form = bare if picture is not None and found[picture] is None else whole
            yield form.format % (row, *[found[place] or b"" for place in form.fillings])


class _Cells:
    """The cells of a block as the insides of JSON texts; None for a cell that is null."""

    def __init__(self, table: Table, recipe: Recipe, block: Block) -> None:
        self._table, self._recipe, self._block = table, recipe, block
        self._folder = table.path.parent if table.path else None
        #: Whether a cell of the block is null.
        self.nulls = False

    def encoded(self, filling: Column | Picture) -> list[bytes | None]:
        """Encode a column, as text or as images."""
        name = filling.column if isinstance(filling, Picture) else filling.name
        values = self._block.column(name)
        if isinstance(filling, Picture):
            found = self._each(name, values, lambda value: image_address(value, self._folder))
        else:
            try:
                found = [_ENCODE(value)[1:-1] if type(value) is str else _other(value) for value in values]
            except (TypeError, ValueError, msgspec.MsgspecError):  # told with the row
                found = self._each(name, values, cell_text)
        return self._without_nulls(name, found)

    def _without_nulls(self, name: str, found: list[bytes | None]) -> list[bytes | None]:
        if b"" in found and _is_empty_null(self._table, self._recipe, name):
            found = [each or None for each in found]
        if None in found:
            self.nulls = True
            if self._recipe.nulls == "refuse":
                raise self._null(name, found.index(None))
        return found

    def _null(self, name: str, place: int) -> NullCell:
        row = self._block.first + place
        told = "is empty" if self._table.empty_is_null else "is null"
        return NullCell(
            f"{self._table.name}, row {row}: the column {name!r} {told}. Say what to do with such rows: "
            "--nulls skip leaves them out, --nulls empty sends empty text",
            row=row,
            column=name,
        )

    def _each(self, name: str, values: list[Any], write: Callable[[Any], str]) -> list[bytes | None]:
        found: list[bytes | None] = []
        empty = _is_empty_null(self._table, self._recipe, name)
        for row, value in enumerate(values, self._block.first):
            try:
                found.append(None if _is_null(value, empty=empty) else _ENCODE(write(value))[1:-1])
            except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
                told = f"{self._table.name}, row {row}, column {name!r}: {error}"
                raise CellError(told, row=row, column=name) from error
        return found


def _other(value: object) -> bytes | None:
    return None if value is None else _ENCODE(cell_text(value))[1:-1]


def _fillings(value: object) -> Iterator[Column | Picture]:
    if isinstance(value, Text):
        yield from (part for part in value.parts if isinstance(part, Column))
    elif isinstance(value, Picture):
        yield value
    elif isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _fillings(each)


def _form(recipe: Recipe, fillings: Sequence[Column | Picture], *, pictured: bool) -> _Form:
    pieces: _Pieces = [b',"method":"POST","url":', _ENCODE(recipe.url), b',"body":']
    pieces += [*_pieces(recipe.template, pictured=pictured), b"}\n"]
    start = b'{"custom_id":"row-%d"'
    told = [piece.replace(b"%", b"%%") if isinstance(piece, bytes) else b"%b" for piece in pieces]
    filled = [piece for piece in pieces if not isinstance(piece, bytes)]
    return _Form(start + b"".join(told), tuple(fillings.index(each) for each in filled))


def _pieces(value: object, *, pictured: bool) -> _Pieces:
    """Write a value as JSON, with gaps for the cells."""
    if isinstance(value, Text):
        return [b'"', *(part if isinstance(part, Column) else _ENCODE(part)[1:-1] for part in value.parts), b'"']
    if isinstance(value, Picture):
        before, after = _PICTURE[value.endpoint == CHAT]
        return [before, value, after]
    if isinstance(value, Mapping):
        members = ([_ENCODE(name), b":", *_pieces(each, pictured=pictured)] for name, each in value.items())
        return [b"{", *_with_commas(members), b"}"]
    if isinstance(value, list | tuple):
        kept = (each for each in value if pictured or not isinstance(each, Picture))
        return [b"[", *_with_commas(_pieces(each, pictured=pictured) for each in kept), b"]"]
    return [_ENCODE(value)]


def _with_commas(values: Iterator[_Pieces]) -> Iterator[bytes | Column | Picture]:
    for number, pieces in enumerate(values):
        if number:
            yield b","
        yield from pieces
