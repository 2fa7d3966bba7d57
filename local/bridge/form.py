"""A multipart form that is parsed as it comes: the file goes to disk, the other fields stay in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import IO

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from local.bridge.errors import BridgeError

_FILE = "file"
_LONGEST_TEXT, _MOST_TEXTS = 64 * 1024, 100


@dataclass
class Form:
    """The fields of a form."""

    #: The texts by name.
    texts: dict[str, str] = field(default_factory=dict)
    #: The name that the file came with.
    filename: str | None = None
    #: Whether there was a file.
    has_file: bool = False


def boundary_of(content_type: str | None) -> bytes | None:
    """Return what separates the parts of a form; None if this is the type of no form."""
    kind, options = parse_options_header(content_type or "")
    return options.get(b"boundary") or None if kind == b"multipart/form-data" else None


def receive(pieces: Iterable[bytes], boundary: bytes, spool: IO[bytes]) -> Form:
    """Read the whole form, and write its part `file` to `spool`; raises BridgeError 400 if the form is broken."""
    taker = _Taker(spool)
    try:
        parser = MultipartParser(boundary, taker.handlers())  # type: ignore[arg-type] # a TypedDict there
        for piece in pieces:
            parser.write(piece)
        parser.finalize()
    except FormParserError as error:
        raise _broken(f"could not be read: {error}") from error
    if not taker.ended:
        raise _broken("breaks off before its last boundary")
    if not taker.form.has_file:
        message = "Missing required parameter: 'file'."
        raise BridgeError(HTTPStatus.BAD_REQUEST, message, "missing_required_parameter")
    return taker.form


class _Taker:
    """Collect what the parser finds."""

    def __init__(self, spool: IO[bytes]) -> None:
        self.form = Form()
        self.ended = False
        self._spool = spool
        self._header, self._value, self._text = bytearray(), bytearray(), bytearray()
        self._name, self._filename = "", ""
        self._to_disk = False

    def handlers(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._name, self._to_disk = "", False
        self._text.clear()

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            if self._name == _FILE and b"filename" in options:
                self._begin_file(options[b"filename"].decode("utf-8", "replace"))
        self._header.clear()
        self._value.clear()

    def _begin_file(self, filename: str) -> None:
        if self.form.has_file:
            raise _broken("has two files")
        self._to_disk, self.form.has_file, self.form.filename = True, True, filename

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._to_disk:
            self._spool.write(memoryview(data)[start:end])
        elif len(self._text) + end - start > _LONGEST_TEXT or len(self.form.texts) >= _MOST_TEXTS:
            raise _broken(f"has too much text in the field {self._name[:64]!r}; a file needs a filename")
        else:
            self._text += data[start:end]

    def _end_part(self) -> None:
        if not self._to_disk:
            self.form.texts[self._name] = self._text.decode("utf-8", "replace")

    def _end(self) -> None:
        self.ended = True


def _broken(why: str) -> BridgeError:
    return BridgeError(HTTPStatus.BAD_REQUEST, f"The multipart form {why}.")
