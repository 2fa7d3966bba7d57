"""What a command remembers of its work, so that the same command takes up the same upload and the same batch."""

import hashlib
from typing import Any, Final

import msgspec

from .errors import UsageFault
from .home import Home

KEY_LETTERS: Final = 40  # of a SHA-256 in hex
MARK: Final = "batchyard-client"  # the key in a batch's metadata, by which a batch is found whose id was never kept


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


#: Takes any number, whatever its size.
_DECODER: Final = msgspec.json.Decoder(JobRecord, float_hook=str)


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
            return None if data is None else _record(data)
        except msgspec.DecodeError as error:
            path = self._home.path(name)
            raise UsageFault(
                f"{path} cannot be read. Look with `batchyard list` for the batch, then remove it."
            ) from error


def _record(data: bytes) -> JobRecord:
    """Read a record; a recipe is read as it was, for the same requests again. Raises msgspec.DecodeError."""
    found = _DECODER.decode(data)
    if found.recipe is None:
        return found
    from .tables.cells import as_it_stands  # noqa: PLC0415 - only where rows became requests

    return msgspec.structs.replace(found, recipe=as_it_stands(data)["recipe"])


def _named(batch_id: str) -> str:
    """Return an id as the name of a file."""
    plain = batch_id if batch_id.replace("_", "").replace("-", "").isalnum() and batch_id.isascii() else ""
    return plain[:200] or hashlib.sha256(batch_id.encode()).hexdigest()
