"""Where the bytes of a table lie: a file of this machine, or an object in S3."""

import hashlib
import io
import os
from pathlib import Path
from typing import Protocol

from .errors import ChangedTable, UnreadableTable


class Source(Protocol):
    """Bytes with a name that can be read again and again, and that stay the same."""

    #: What messages call the source; its end tells the format.
    name: str
    #: The file, where it is one.
    path: Path | None

    def open(self) -> io.BufferedReader:
        """Open the bytes from the first on, seekable; raise `ChangedTable` if they are others than before."""

    def fingerprint(self) -> str:
        """Return a hash of the bytes, or what changes with them."""


class LocalFile:
    """A file of this machine."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path | None = Path(path)
        self.name = str(path)
        self._first = self._state()

    def open(self) -> io.BufferedReader:
        """Open the file, if it is the one that was there first."""
        file = Path(self.name).open("rb")  # noqa: SIM115 - the caller closes it
        if self._state() != self._first:
            file.close()
            raise ChangedTable(f"{self.name} has changed since it was first read. Run the command again")
        return file

    def fingerprint(self) -> str:
        """Hash the bytes."""
        with self.open() as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"

    def _state(self) -> tuple[int, ...]:
        path = Path(self.name)
        try:
            found = path.stat()
        except OSError as error:
            raise UnreadableTable(f"{self.name} cannot be read: {error.strerror}") from error
        if not path.is_file():
            raise UnreadableTable(f"{self.name} is no regular file. Name a file")
        return found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev
