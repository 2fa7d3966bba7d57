"""What a command remembers of its work, so that the same command takes up the same upload and the same batch."""

import hashlib
import json
from typing import Any, Final

import msgspec

from .errors import UsageFault
from .home import Home

KEY_LETTERS: Final = 40  # of a SHA-256 in hex
MARK: Final = "batchyard-client"  # the key in a batch's metadata, by which a batch is found whose id was never kept


#: Takes any number, whatever its size.
_CHECK: Final = msgspec.json.Decoder(float_hook=str)


def as_it_stands(text: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Read JSON of a recipe: a number that would be written otherwise, as `-0` or `0.10`, is kept as its text.

    Raises msgspec.DecodeError, UnicodeError.
    """
    _CHECK.decode(text)  # Python's reader takes more than JSON
    return json.loads(text, parse_float=_number, parse_int=_number)


def _number(text: str) -> object:
    raw = text.encode()
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError:  # beyond what a number of this machine holds
        return msgspec.Raw(raw)
    return value if msgspec.json.encode(value) == raw else msgspec.Raw(raw)


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One content with its options, and how far it has come. Times are Unix seconds."""

    #: What content and options are, whether new or not: the name of the record.
    stem: str
    #: The Idempotency-Key, and the mark in the metadata of the batch.
    key: str
    base_url: str
    #: The absolute path of the input; None if it was never a file.
    source: str | None = None
    #: How rows become requests, as `tables.Recipe` has it; None if the input holds requests.
    recipe: dict[str, Any] | None = None
    #: How the input is read: `format` and `encoding`.
    reading: dict[str, str] = {}
    lines: int = 0
    #: The digest of the requests, which proves that rows are those that were sent; None in records of older versions.
    digest: str | None = None
    #: The file at the service.
    file_id: str | None = None
    #: Whether that file is packed; None if none was announced.
    packed: bool | None = None
    #: Whether all bytes of the file have come.
    uploaded: bool = False
    #: When the batch was first asked for; before that the service can have none.
    creating_at: int | None = None
    #: The estimate in US dollars, if there was one.
    estimate_usd: float | None = None
    batch_id: str | None = None


def stem_of(base_url: str, digest: str, options: dict[str, Any]) -> str:
    """Name a content with its options at one service."""
    whole = msgspec.json.encode([base_url, digest, options], order="sorted")
    return hashlib.sha256(whole).hexdigest()[:KEY_LETTERS]


def key_of(stem: str, nonce: str) -> str:
    """Return the Idempotency-Key; a `nonce` makes another one of the same content."""
    return hashlib.sha256(f"{stem} {nonce}".encode()).hexdigest()[:KEY_LETTERS] if nonce else stem


class JobRecords:
    """Keep the records, by content and by batch."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def of_content(self, stem: str) -> JobRecord | None:
        """Return the latest record of a content."""
        return self._read(f"jobs/{stem}.json")

    def of_batch(self, batch_id: str) -> JobRecord | None:
        """Return the record of a batch."""
        return self._read(f"batches/{_named(batch_id)}.json")

    def keep(self, record: JobRecord) -> JobRecord:
        """Write a record, before anything else is done."""
        data = msgspec.json.encode(record)
        if record.batch_id is not None:
            self._home.write(f"batches/{_named(record.batch_id)}.json", data)
        self._home.write(f"jobs/{record.stem}.json", data)
        return record

    def keep_batch(self, record: JobRecord) -> None:
        """Write the record of a batch that another batch led to; the content keeps its own."""
        self._home.write(f"batches/{_named(str(record.batch_id))}.json", msgspec.json.encode(record))

    def _read(self, name: str) -> JobRecord | None:
        data = self._home.read(name)
        try:
            return None if data is None else msgspec.convert(as_it_stands(data), JobRecord)
        except msgspec.DecodeError as error:
            path = self._home.path(name)
            raise UsageFault(
                f"{path} cannot be read. Look with `batchyard list` for the batch, then remove it."
            ) from error


def _named(batch_id: str) -> str:
    """Return an id as the name of a file."""
    plain = batch_id if batch_id.replace("_", "").replace("-", "").isalnum() and batch_id.isascii() else ""
    return plain[:200] or hashlib.sha256(batch_id.encode()).hexdigest()
