"""A table: named columns, and rows that can be read again and again, some at a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

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
