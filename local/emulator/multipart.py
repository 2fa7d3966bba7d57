"""Receive a multipart form, and write its file part straight to disk."""

from dataclasses import dataclass, field
from pathlib import Path

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from local.emulator.errors import ApiError

_MAX_TEXT = 64 * 1024
_FILES = ("file", "data")  # the parts that are files, even if they come without a filename


@dataclass
class Form:
    """The parts of a form."""

    #: Where the bytes of the file part are.
    path: Path
    #: The text parts by name.
    texts: dict[str, str] = field(default_factory=dict)
    #: The file name that the file part gives; empty if the part gives none.
    filename: str = ""
    #: The name of the file part; None if there is none.
    file_part: str | None = None


class FormReceiver:
    """Receive one form: the file part goes to `path`, texts of at most 64 KiB stay in memory."""

    def __init__(self, path: Path) -> None:
        self.form = Form(path)
        self._file = path.open("wb")
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._name = ""
        self._in_file = False
        self._text = bytearray()

    async def receive(self, request: Request) -> Form:
        """Read the whole request; raise ApiError 400 if it is no multipart form."""
        try:
            parser = MultipartParser(_boundary(request), self._callbacks())  # type: ignore[arg-type] # a TypedDict there
            async for chunk in request.stream():
                parser.write(chunk)
            parser.finalize()
        except FormParserError as error:
            raise ApiError(400, "Could not parse the multipart form.") from error
        finally:
            self._file.close()
        return self.form

    def _callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
        }

    def _part_begin(self) -> None:
        self._name, self._in_file = "", False
        self._text.clear()

    def _header_end(self) -> None:
        name, value = (bytes(part) for part in self._header)
        self._header = (bytearray(), bytearray())
        if name.lower() != b"content-disposition":
            return
        _, options = parse_options_header(value)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options or (self._name in _FILES and self.form.file_part is None):
            self._in_file = True
            self._file.seek(0)  # a client in Dart sends a text of the same name before the file
            self._file.truncate()
            self.form.file_part = self._name
            self.form.filename = options.get(b"filename", b"").decode("utf-8", "replace")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._file.write(data[start:end])
        elif len(self._text) + end - start <= _MAX_TEXT:
            self._text += data[start:end]
        else:
            raise ApiError(400, f"The form field '{self._name}' is too long.", param=self._name)

    def _part_end(self) -> None:
        if not self._in_file:
            self.form.texts[self._name] = self._text.decode("utf-8", "replace")


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise ApiError(400, "Expected a multipart/form-data request.", code="invalid_content_type")
    return options[b"boundary"]
