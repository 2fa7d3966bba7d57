"""One line of a batch, from OpenAI's shape to Mistral's; pure, and no byte of a `custom_id` or a body is changed.

Results need no such function: Mistral writes them in OpenAI's envelope.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from ..errors import SourceError
from ..sources import Source
from ..upload import chunks_of
from .lines import lines_of


class _Request(msgspec.Struct, gc=False):
    custom_id: msgspec.Raw
    body: msgspec.Raw


_REQUEST: Final = msgspec.json.Decoder(_Request)


def encode(line: bytes, number: int) -> bytes:
    """Return the request of a line, without its `method` and `url`. Raises SourceError for a line that is no request."""
    try:
        found = _REQUEST.decode(line)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"Line {number} is no request with `custom_id` and `body`") from error
    return b'{"custom_id":%s,"body":%s}' % (bytes(found.custom_id), bytes(found.body))


class Requests:
    """Give the requests of lines; each is as long as its line, so the length is known beforehand.

    A request is never longer than its line, of which it is a part. Spaces make up for what it lacks.
    """

    def __init__(self, lines: Source) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[bytes]:
        for number, line in enumerate(lines_of(chunks_of(self._lines)), start=1):
            yield _as_long_as(line, number)


def _as_long_as(line: bytes, number: int) -> bytes:
    end = line[len(line.rstrip(b"\r\n")) :]
    return encode(line, number).ljust(len(line) - len(end)) + end
