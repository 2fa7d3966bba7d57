"""The store of files: the bytes are on disk, everything else in memory."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.emulator import identifiers
from local.emulator.clock import Clock
from local.emulator.errors import no_such_file

THIRTY_DAYS = 30 * 86_400


@dataclass(frozen=True)
class StoredFile:
    """A file of the API."""

    id: str
    #: Where its bytes are.
    path: Path
    size: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str

    def wire(self, status: str = "processed") -> dict[str, Any]:
        """Return the File object of the API."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.size,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": status,
            "status_details": None,
        }


class FileStore:
    """Hold all files by id, the newest last; threads may share the store."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.directory = directory
        self._clock = clock
        self._files: dict[str, StoredFile] = {}
        self._lock = threading.Lock()

    def add(self, path: Path, filename: str, purpose: str, lifetime: int | None) -> StoredFile:
        """Move the bytes at `path` into a new file, which expires after `lifetime` seconds; None means never."""
        now = self._clock.seconds()
        expires_at = None if lifetime is None else now + lifetime
        file_id = identifiers.file_id()
        kept = path.rename(self.directory / file_id)
        stored = StoredFile(file_id, kept, kept.stat().st_size, now, expires_at, filename, purpose)
        with self._lock:
            self._files[stored.id] = stored
        return stored

    def get(self, file_id: str) -> StoredFile:
        """Return a file; raise ApiError 404 if it is unknown, deleted or expired."""
        stored = self.find(file_id)
        if stored is None or self._expired(stored):
            raise no_such_file(file_id)
        return stored

    def find(self, file_id: str) -> StoredFile | None:
        """Return a file, even an expired one, or None."""
        with self._lock:
            return self._files.get(file_id)

    def delete(self, file_id: str) -> StoredFile:
        """Delete a file and its bytes; raise ApiError 404 if it is unknown."""
        stored = self.get(file_id)
        with self._lock:
            self._files.pop(file_id, None)
        stored.path.unlink(missing_ok=True)
        return stored

    def newest_first(self) -> Iterable[StoredFile]:
        """Return every file that has not expired, the newest first."""
        with self._lock:
            files = list(self._files.values())
        return [file for file in reversed(files) if not self._expired(file)]

    def _expired(self, stored: StoredFile) -> bool:
        return stored.expires_at is not None and stored.expires_at <= self._clock.now()
