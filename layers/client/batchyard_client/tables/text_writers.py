"""Rows and answers as CSV, TSV, JSON Lines and JSON."""

import base64
import codecs
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

import msgspec

from .arrow_table import ArrowBlock
from .cells import JSON, cell_text, without_durations
from .delimited import TAB, DelimitedTable, quoted, row_of
from .errors import UnwritableTable
from .json_table import ObjectTable
from .schema import Field
from .table import Block, Table

_ODD: Final = (TypeError, ValueError, RecursionError, msgspec.MsgspecError)


class DelimitedWriter:
    """Writes CSV or TSV in UTF-8; what was CSV with the same delimiter stays as it stood."""

    def __init__(self, file: IO[bytes], table: Table, fields: Sequence[Field], *, tabs: bool) -> None:
        self._file, self._table = file, table
        own = table.delimiter if isinstance(table, DelimitedTable) and table.is_tsv is tabs else None
        self._delimiter = own or (TAB if tabs else ",")
        self._same = own is not None
        names = [field.name for field in fields]
        if isinstance(table, DelimitedTable) and self._same:
            start = codecs.BOM_UTF8 if table.marked else b""
            header = self._appended(table.header + table.line_end, names)
        else:
            start = b""
            header = row_of([*table.columns, *names], self._delimiter) + "\n"
        file.write(start + header.encode())

    def write(self, block: Block, answers: Sequence[Sequence[Any]]) -> None:
        """Write rows and the values of the new columns."""
        new = zip(*([_text(value) for value in column] for column in answers), strict=True)
        rows = map(self._appended, block.texts, new) if self._same else self._rows(block, new)
        self._file.write("".join(rows).encode())

    def end(self) -> None:
        """Write nothing more: the last row has its line end."""

    def abandon(self) -> None:
        """Do nothing: the file holds nothing back."""

    def _rows(self, block: Block, new: Iterator[Sequence[str]]) -> Iterator[str]:
        columns = [_texts(block, name) for name in self._table.columns]
        for cells, fresh in zip(zip(*columns, strict=True), new, strict=True):
            yield row_of([*cells, *fresh], self._delimiter) + "\n"

    def _appended(self, row: str, cells: Sequence[str]) -> str:
        """Put cells behind a row as it stands, before its line end."""
        bare = row.rstrip("\r\n")
        more = self._delimiter.join(quoted(cell, self._delimiter) for cell in cells)
        return f"{bare}{self._delimiter}{more}{row[len(bare) :]}"


class ObjectWriter:
    """Writes one JSON object for each row; the text of an object that was one stays as it stood."""

    def __init__(self, file: IO[bytes], table: Table, fields: Sequence[Field], *, array: bool) -> None:
        self._file, self._table, self._array = file, table, array
        self._same = isinstance(table, ObjectTable)
        self._names = [field.name for field in fields]
        self._between = b"[\n" if array else b""

    def write(self, block: Block, answers: Sequence[Sequence[Any]]) -> None:
        """Write rows and the values of the new columns."""
        new = (dict(zip(self._names, row, strict=True)) for row in zip(*answers, strict=True))
        rows = map(_extended, block.texts, new) if self._same else self._rows(block, new)
        if not self._array:
            self._file.write(b"".join(row.replace(b"\n", b" ") + b"\n" for row in rows))
            return
        for row in rows:
            self._file.write(self._between + row)
            self._between = b",\n"

    def end(self) -> None:
        """Close the array."""
        if self._array:
            self._file.write((self._between if self._between == b"[\n" else b"\n") + b"]\n")

    def abandon(self) -> None:
        """Do nothing: the file holds nothing back."""

    def _rows(self, block: Block, new: Iterator[dict[str, Any]]) -> Iterator[bytes]:
        names = self._table.columns
        columns = [[without_durations(each) for each in block.column(name)] for name in names]
        for row, (cells, fresh) in enumerate(zip(zip(*columns, strict=True), new, strict=True), block.first):
            try:
                yield JSON.encode({**dict(zip(names, cells, strict=True)), **fresh})
            except _ODD as error:
                raise UnwritableTable(f"Row {row} cannot be written as JSON: {error}") from error


def _extended(text: bytes, fresh: dict[str, Any]) -> bytes:
    """Put members behind those of an object as it stands."""
    open_ = text.rstrip()[:-1].rstrip()
    return open_ + (b"" if open_ == b"{" else b",") + JSON.encode(fresh)[1:]


def _texts(block: Block, name: str) -> list[str]:
    values = block.column(name)
    try:
        return [_text(value) for value in values]
    except _ODD as error:
        kind = block.batch.schema.field(name).type if isinstance(block, ArrowBlock) else "values"
        raise UnwritableTable(f"The column {name!r} of {kind} cannot be written as text: {error}") from error


def _text(value: object) -> str:
    """Write a cell; bytes as base64, as JSON has them."""
    if value is None:
        return ""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else cell_text(value)
