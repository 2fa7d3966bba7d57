"""A list of dictionaries as a table."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from .cells import JSON
from .errors import CellError, UnreadableTable
from .table import BLOCK_ROWS, Block, Table


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
