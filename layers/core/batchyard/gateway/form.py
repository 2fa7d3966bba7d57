"""The fields of a `multipart/form-data` body, in any order."""

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from batchyard.domain.errors import ApiError

# A parser of a header such as `form-data; name="file"`: the value, and its options.
OptionsOf = Callable[[bytes], tuple[bytes, dict[bytes, bytes]]]


class Field(NamedTuple):
    """One field of a form."""

    data: bytes
    #: None for a field of text.
    filename: str | None

    @property
    def text(self) -> str:
        """Return the field as text."""
        return self.data.decode("utf-8", "replace")


def parse(content_type: str | None, body: bytes) -> dict[str, Field]:
    """Split a form into its fields, by name; raises ApiError 415 for another kind of body, and 400 for a broken form."""
    from python_multipart import exceptions, multipart  # noqa: PLC0415 - few requests are forms, and each cold start would pay

    kind, options = multipart.parse_options_header(content_type or "")
    if kind != b"multipart/form-data":
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be multipart/form-data.", code="invalid_content_type"
        )
    taker = _Taker(multipart.parse_options_header)
    try:
        parser = multipart.MultipartParser(options.get(b"boundary", b""), taker.handlers())  # type: ignore[arg-type]  # a TypedDict there
        parser.write(body)
        parser.finalize()
    except (exceptions.FormParserError, ValueError) as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"The multipart form could not be read: {error}") from error
    if not taker.ended:
        raise ApiError(HTTPStatus.BAD_REQUEST, "The multipart form breaks off before its last boundary.")
    return taker.fields


class _Taker:
    """Collect what the parser finds."""

    def __init__(self, options_of: OptionsOf) -> None:
        self._options_of = options_of
        self.fields: dict[str, Field] = {}
        self.ended = False
        self._field, self._value, self._data = bytearray(), bytearray(), bytearray()
        self._name = ""
        self._filename: str | None = None

    def handlers(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_part_data": lambda data, start, end: self._data.extend(data[start:end]),
            "on_part_end": self._end_field,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._data, self._name, self._filename = bytearray(), "", None

    def _header(self) -> None:
        if self._field.lower() == b"content-disposition":
            _, options = self._options_of(bytes(self._value))
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            filename = options.get(b"filename")
            self._filename = None if filename is None else filename.decode("utf-8", "replace")
        self._field, self._value = bytearray(), bytearray()

    def _end_field(self) -> None:
        known = self.fields.get(self._name)
        if self._filename is None and known is not None and known.filename is not None:
            return  # a client in Dart sends a text of the same name beside each file
        self.fields[self._name] = Field(bytes(self._data), self._filename)

    def _end(self) -> None:
        self.ended = True
