"""CSV and TSV, by the standard library: every cell is the text that stands in the file."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Final

from .errors import UnreadableTable
from .packing import unpacked
from .sources import Source
from .table import BLOCK_BYTES, BLOCK_ROWS, Block, Table, repeated

TAB: Final = "\t"
#: The most characters of one cell: what is longer follows a quote that nobody closed.
LONGEST_CELL: Final = 64 << 20
_OTHERS: Final = ";\t|"
_SAMPLE: Final = 1 << 16
_SAMPLED_ROWS: Final = 50
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_WIDE: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class DelimitedTable(Table):
    """The rows of a CSV or TSV file; its first row names the columns."""

    empty_is_null = True

    def __init__(self, source: Source, *, delimiter: str | None, encoding: str | None) -> None:
        self._source, self._encoding = source, encoding
        self.name, self.path = source.name, source.path
        #: Whether the table was named as one with tabs.
        self.is_tsv = delimiter == TAB
        with _Lines(source, encoding) as lines:
            sample = lines.sample()
            #: Whether the file begins with a byte order mark.
            self.marked = lines.marked
        #: What stands between cells.
        self.delimiter = delimiter or sniffed(sample)
        with _Lines(source, encoding) as lines:
            header = next(self._records(lines), None)
        if header is None:
            raise UnreadableTable(f"{self.name} is empty: its first line must name the columns")
        self._columns = tuple(header[0])
        #: The first row as it stands, and how lines end.
        self.header, self.line_end = header[1], header[2] or "\n"
        if twice := repeated(self._columns):
            raise UnreadableTable(f"{self.name} names columns twice: {', '.join(map(repr, twice))}. Rename them")

    @property
    def columns(self) -> tuple[str, ...]:
        """Name the columns, as the first row does."""
        return self._columns

    def fingerprint(self) -> str:
        """Hash the bytes of the file, and how they are read."""
        return f"{self._source.fingerprint()}:{ord(self.delimiter)}:{self._encoding or 'utf-8'}"

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[Block]:
        """Read the rows; `texts` holds each row as it stands, with its line end."""
        del columns  # a row is read whole
        with _Lines(self._source, self._encoding) as lines:
            records = self._records(lines)
            next(records)
            cells: list[list[str]] = []
            texts: list[str] = []
            first, held = 1, 0
            for row, text, end in records:
                if len(row) != len(self._columns):
                    raise self._ragged(len(row), lines.begun, first + len(cells))
                cells.append(row)
                texts.append(text + (end or self.line_end))
                held += len(text)
                if held >= BLOCK_BYTES or len(cells) == BLOCK_ROWS:
                    yield self._block(first, cells, texts)
                    first, held, cells, texts = first + len(cells), 0, [], []
            if cells:
                yield self._block(first, cells, texts)

    def _block(self, first: int, cells: list[list[str]], texts: list[str]) -> Block:
        columns = zip(self._columns, map(list, zip(*cells, strict=True)), strict=True)
        return Block(first, len(cells), dict(columns), texts)

    def _ragged(self, found: int, line: int, row: int) -> UnreadableTable:
        return UnreadableTable(
            f"{self.name}, line {line} (row {row}): {found} cells, and the first line names {len(self._columns)} columns. "
            "A cell that holds the delimiter or a line end must stand in quotes"
        )

    def _records(self, lines: "_Lines") -> Iterator[tuple[list[str], str, str]]:
        """Yield the cells of each record, its text, and its line end; blank lines are none."""
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))  # it holds for the process: never smaller
        reader = csv.reader(iter(lines), delimiter=self.delimiter, strict=True)
        try:
            for row in reader:
                text = lines.taken()
                if row:
                    bare = text.rstrip("\r\n")
                    yield row, bare, text[len(bare) :]
        except csv.Error as error:
            raise UnreadableTable(
                f"{self.name}, line {lines.begun}: the quotes are not those of CSV ({error}). "
                'A cell in quotes ends with its quote, and writes a quote of its own as ""'
            ) from error


class _Lines:
    """The lines of a text, and which of them the present record is made of."""

    def __init__(self, source: Source, encoding: str | None) -> None:
        self._source, self._encoding = source, encoding
        file = unpacked(source.open(), source.name)
        try:
            start = file.peek(4)[:4]
            #: Whether the text begins with a byte order mark.
            self.marked = start.startswith(codecs.BOM_UTF8)
            self._text = io.TextIOWrapper(file, encoding=self._codec(start), newline="")
        except BaseException:
            file.close()
            raise
        self._held: list[str] = []
        #: The number of the line where the present record begins, and of the line that is read next.
        self.begun, self._next = 1, 1

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()

    def __iter__(self) -> Iterator[str]:
        try:
            for line in self._text:
                if not self._held:
                    self.begun = self._next
                self._next += 1
                self._held.append(line)
                yield line
        except UnicodeDecodeError as error:
            raise self._undecodable(error) from error

    def taken(self) -> str:
        """Return the text of the present record, and begin another one."""
        text = "".join(self._held)
        self._held.clear()
        return text

    def sample(self) -> str:
        """Read the beginning."""
        try:
            return self._text.read(_SAMPLE)
        except UnicodeDecodeError as error:
            raise self._undecodable(error) from error

    def _codec(self, start: bytes) -> str:
        wide = next((name for mark, name in _WIDE.items() if start.startswith(mark)), None)
        if self._encoding is None and wide:
            raise UnreadableTable(f"{self._source.name} is not UTF-8. Read it with --encoding {wide}")
        try:
            name = codecs.lookup(self._encoding or "utf-8").name
        except LookupError as error:
            raise UnreadableTable(f"There is no encoding {self._encoding!r}. Try utf-8, cp1252 or utf-16") from error
        return "utf-8-sig" if name == "utf-8" else name

    def _undecodable(self, error: UnicodeDecodeError) -> UnreadableTable:
        where = _first_bad_line(self._source, error.encoding)
        remedy = "Name the encoding it has with --encoding, as in --encoding cp1252 or --encoding utf-16"
        return UnreadableTable(f"{self._source.name}{where} is not text in {error.encoding} ({error.reason}). {remedy}")


def _first_bad_line(source: Source, encoding: str) -> str:
    """Find the line whose bytes are no text; a decoder reads ahead, and does not tell."""
    if encoding.startswith(("utf-16", "utf_16", "utf-32", "utf_32")):
        return ""
    with unpacked(source.open(), source.name) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError:
                return f", line {number},"
    return ""


def sniffed(sample: str) -> str:
    """Choose the delimiter: the comma, unless only one other cuts every row into as many cells as the first."""
    whole = sample if len(sample) < _SAMPLE else sample[: max(sample.rfind("\n"), sample.rfind("\r"))]
    fitting = [each for each in _OTHERS if _fits(whole, each)]
    return fitting[0] if len(fitting) == 1 and not _fits(whole, ",") else ","


def _fits(sample: str, delimiter: str) -> bool:
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    try:
        counts = [len(row) for row, _ in zip(filter(None, reader), range(_SAMPLED_ROWS), strict=False)]
    except csv.Error:
        return False
    return bool(counts) and counts[0] > 1 and len(set(counts)) == 1


def quoted(text: str, delimiter: str) -> str:
    """Write a cell so that any reader of CSV reads this text."""
    if not (delimiter in text or '"' in text or "\n" in text or "\r" in text or text[:1] == " " or text[-1:] == " "):
        return text
    return '"' + text.replace('"', '""') + '"'


def row_of(cells: Sequence[str], delimiter: str) -> str:
    """Write a row without its line end; a row of one empty cell is written as two quotes, so that it is no blank line."""
    return delimiter.join(quoted(cell, delimiter) for cell in cells) if any(cells) or len(cells) > 1 else '""'
