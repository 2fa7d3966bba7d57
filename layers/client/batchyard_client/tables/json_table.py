"""JSON Lines and JSON arrays: each row is an object, and keeps the bytes that stand in the file."""

import codecs
import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from io import BufferedReader, TextIOWrapper
from typing import Any, Final

import msgspec

from .cells import DECODE, constant_in, name_twice
from .errors import UnreadableTable
from .packing import unpacked
from .sources import Source
from .table import BLOCK_BYTES, BLOCK_ROWS, Block, Table

_PIECE: Final = 1 << 20
_LONGEST: Final = 128 << 20  # characters of one object: what goes on longer is no JSON
_SPACE: Final = " \t\r\n"


class ObjectTable(Table):
    """Rows that are JSON objects; the columns are all members that any of them has."""

    def __init__(self, source: Source, *, encoding: str | None) -> None:
        self._source, self._encoding = source, encoding or "utf-8"
        self.name, self.path = source.name, source.path
        try:
            self._is_utf8 = codecs.lookup(self._encoding).name == "utf-8"
        except LookupError as error:
            raise UnreadableTable(f"There is no encoding {encoding!r}. Try utf-8, cp1252 or utf-16") from error

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        seen: dict[str, None] = {}
        for where, row, text in self._rows():
            if (twice := name_twice(row, text)) is not None:
                raise UnreadableTable(
                    f"{self.name}, {where}: the name {twice!r} stands twice in one object. Leave one of the two out"
                )
            if row.keys() - seen.keys():
                seen.update(dict.fromkeys(row))
        if not seen:
            raise UnreadableTable(f"{self.name} is empty: it must hold JSON objects")
        return tuple(seen)

    @property
    def columns(self) -> tuple[str, ...]:
        """Name the members, in the order in which they come first."""
        return self._columns

    def fingerprint(self) -> str:
        """Hash the bytes of the file, and how they are read."""
        return f"{self._source.fingerprint()}:{self._encoding}"

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[Block]:
        """Read the rows; a member that an object has not is None. `texts` holds the bytes of each object."""
        wanted = columns if columns is not None else self.columns
        rows: list[dict[str, Any]] = []
        texts: list[bytes] = []
        first, held = 1, 0
        for _, row, text in self._rows():
            rows.append(row)
            texts.append(text)
            held += len(text)
            if held >= BLOCK_BYTES or len(rows) == BLOCK_ROWS:
                yield _block(first, rows, texts, wanted)
                first, held, rows, texts = first + len(rows), 0, [], []
        if rows:
            yield _block(first, rows, texts, wanted)

    def _rows(self) -> Iterator[tuple[str, dict[str, Any], bytes]]:
        for where, text in self._objects():
            try:
                row = DECODE(text)
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
                self._check_text(where, text)
                self._refuse_constants(where, text)
                raise UnreadableTable(f"{self.name}, {where}: this is no JSON ({error}){self._hint()}") from error
            if type(row) is not dict:
                raise UnreadableTable(f"{self.name}, {where}: this is no JSON object{self._hint()}")
            yield where, row, text

    def _refuse_constants(self, where: str, text: bytes) -> None:
        if found := constant_in(text):
            raise UnreadableTable(
                f'{self.name}, {where}: {found} is no number of JSON. Write null in its place, or the text "{found}"'
            )

    def _hint(self) -> str:
        return ""

    @abstractmethod
    def _objects(self) -> Iterator[tuple[str, bytes]]:
        """Yield where each object stands, and its bytes in UTF-8."""

    def _open(self) -> BufferedReader:
        return unpacked(self._source.open(), self.name)

    def _text(self, file: BufferedReader) -> TextIOWrapper:
        return TextIOWrapper(file, encoding="utf-8-sig" if self._is_utf8 else self._encoding, newline="")

    def _check_text(self, where: str, text: bytes) -> None:
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise self._undecodable(where, error) from error

    def _undecodable(self, where: str, error: UnicodeDecodeError) -> UnreadableTable:
        return UnreadableTable(
            f"{self.name}, {where}: this is not text in {error.encoding} ({error.reason}). "
            "Name the encoding it has with --encoding, as in --encoding cp1252"
        )


def _block(first: int, rows: list[dict[str, Any]], texts: list[bytes], columns: Sequence[str]) -> Block:
    return Block(first, len(rows), {name: [row.get(name) for row in rows] for name in columns}, texts)


class LinesTable(ObjectTable):
    """One JSON object a line; blank lines are none."""

    def _objects(self) -> Iterator[tuple[str, bytes]]:
        for number, line in enumerate(self._lines(), 1):
            text = line.strip()
            if text:
                yield f"line {number}", text

    def _lines(self) -> Iterator[bytes]:
        with self._open() as file:
            if self._is_utf8:
                first = file.readline()
                yield first.removeprefix(codecs.BOM_UTF8)
                yield from file
            else:
                yield from self._encoded(file)

    def _encoded(self, file: BufferedReader) -> Iterator[bytes]:
        try:
            with self._text(file) as text:
                for line in text:
                    yield line.encode()
        except UnicodeDecodeError as error:
            raise self._undecodable("some line", error) from error

    def _hint(self) -> str:
        return ". A file with one array of objects is named .json"


class ArrayTable(ObjectTable):
    """One JSON array of objects, read a piece at a time."""

    def _objects(self) -> Iterator[tuple[str, bytes]]:
        with self._open() as file, self._text(file) as text:
            scan = _Scan(text, self.name)
            if (found := scan.next()) != "[":
                told = "is empty" if not found else "is no array of objects"
                raise UnreadableTable(f"{self.name} {told}: it must begin with [. One object a line is named .jsonl")
            try:
                yield from self._elements(scan)
            except UnicodeDecodeError as error:
                raise self._undecodable("somewhere", error) from error

    def _elements(self, scan: "_Scan") -> Iterator[tuple[str, bytes]]:
        number = 0
        mark = scan.peek()
        while mark != "]":
            number += 1
            where = f"element {number}"
            yield where, scan.value(where).encode()
            mark = scan.peek()
            if mark == ",":
                scan.next()
                mark = ""
            elif mark != "]":
                raise UnreadableTable(f"{self.name}: after element {number} a comma or ] must follow{_at(mark)}")
        scan.next()
        if left := scan.peek():
            raise UnreadableTable(f"{self.name}: something follows the end of the array{_at(left)}")


def _at(mark: str) -> str:
    return f", and {mark!r} stands there" if mark else ", and the file ends there: it is cut off"


class _Scan:
    """A JSON text of any length, of which only the next values are held."""

    def __init__(self, text: TextIOWrapper, name: str) -> None:
        self._text, self._name = text, name
        self._held, self._at, self._ended = "", 0, False
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """Return the next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._held):
                if (found := self._held[self._at]) not in _SPACE:
                    return found
                self._at += 1
            if not self._more():
                return ""

    def next(self) -> str:
        """Return that character and go on behind it."""
        found = self.peek()
        self._at += len(found)
        return found

    def value(self, where: str) -> str:
        """Return the text of the next value and go on behind it."""
        self.peek()
        while True:
            try:
                _, end = self._decoder.raw_decode(self._held, self._at)
            except (ValueError, RecursionError) as error:
                cut = isinstance(error, json.JSONDecodeError) and len(self._held) - self._at < _LONGEST
                if cut and self._more():
                    continue
                raise UnreadableTable(f"{self._name}, {where}: this is no JSON ({error})") from error
            text, self._at = self._held[self._at : end], end
            return text

    def _more(self) -> bool:
        """Read as much again as is held, so that a long value is not scanned often."""
        if self._ended:
            return False
        left = self._held[self._at :]
        piece = self._text.read(max(_PIECE, len(left)))
        self._held, self._at, self._ended = left + piece, 0, not piece
        return True
