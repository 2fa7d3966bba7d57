"""A table: named columns, and rows that can be read again and again, some at a time; the simplest one is a list of them."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from .cells import JSON
from .errors import CellError, UnreadableTable

#: The most rows of a block, and about the most bytes or characters.
BLOCK_ROWS: Final = 4_096
BLOCK_BYTES: Final = 2_000_000


class Block:
    """Neighbouring rows of a table, as columns of Python values."""

    def __init__(self, first: int, count: int, columns: Mapping[str, list[Any]], texts: Sequence[Any] = ()) -> None:
        #: The number of the first row, from 1.
        self.first = first
        #: How many rows there are.
        self.count = count
        #: Each row as it stands in a text file; empty for other tables.
        self.texts = texts
        self._columns = columns

    def column(self, name: str) -> list[Any]:
        """Return the values of a column; None for null."""
        return self._columns[name]


class Table(ABC):
    """Rows of a file, an object in S3, a data frame or a list."""

    #: What messages call the table.
    name: str = "the table"
    #: The file that the table is read from, where there is one.
    path: Path | None = None
    #: Whether an empty text is no value, as in CSV.
    empty_is_null: bool = False

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Name the columns, in order."""

    @abstractmethod
    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[Block]:
        """Read the rows from the first on; of named columns only where that saves work."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hash of the content: the same for the same rows, in any process."""

    def rows(self) -> Iterator[dict[str, Any]]:
        """Read the rows as dictionaries of Python values."""
        for block in self.blocks():
            named = [block.column(name) for name in self.columns]
            for cells in zip(*named, strict=True):
                yield dict(zip(self.columns, cells, strict=True))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


def repeated(columns: Sequence[str]) -> list[str]:
    """Name the columns that stand more than once."""
    return sorted({name for name in columns if columns.count(name) > 1}) if len(set(columns)) < len(columns) else []


class RecordsTable(Table):
    """Rows that are held in memory; the columns are all keys that any of them has."""

    name = "the rows"

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows
        seen: dict[str, None] = {}
        for number, row in enumerate(rows, 1):
            if not isinstance(row, Mapping) or not all(isinstance(key, str) for key in row):
                raise UnreadableTable(
                    f"Row {number} is {type(row).__name__}: each row must be a dict whose keys are texts"
                )
            seen.update(dict.fromkeys(row))
        self._columns = tuple(seen)

    @property
    def columns(self) -> tuple[str, ...]:
        """Name the keys, in the order in which they come first."""
        return self._columns

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[Block]:
        """Read the rows; a key that a row has not is None."""
        wanted = self._columns if columns is None else columns
        for start in range(0, len(self._rows), BLOCK_ROWS):
            rows = self._rows[start : start + BLOCK_ROWS]
            yield Block(start + 1, len(rows), {name: [row.get(name) for row in rows] for name in wanted})

    def fingerprint(self) -> str:
        """Hash the columns and values."""
        return hash_of_blocks(self)


def hash_of_blocks(table: Table) -> str:
    """Hash what is in memory, by the values and not by how they lie there."""
    hashes = {name: hashlib.sha256() for name in table.columns}
    for block in table.blocks():
        for name, found in hashes.items():
            found.update(_encoded(block, name))
    whole = {name: found.hexdigest() for name, found in hashes.items()}
    return f"values:{hashlib.sha256(JSON.encode(whole)).hexdigest()}"


def _encoded(block: Block, name: str) -> bytes:
    values = block.column(name)
    try:
        return JSON.encode_lines(values)
    except (TypeError, ValueError, msgspec.MsgspecError, RecursionError):
        for row, value in enumerate(values, block.first):
            _try(value, row, name)
        raise


def _try(value: object, row: int, column: str) -> None:
    try:
        JSON.encode(value)
    except (TypeError, ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise CellError(f"Row {row}, column {column!r}: {error}", row=row, column=column) from error
