"""Uploads: a large file is sent in parts, in any order, and joined at the end."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.emulator import identifiers
from local.emulator.clock import Clock
from local.emulator.errors import ApiError
from local.emulator.files import StoredFile

LIFE_SECONDS = 3_600
MAX_BYTES = 8 << 30
MAX_PART_BYTES = 64 << 20


@dataclass
class Upload:
    """One upload."""

    #: The bytes that its parts must have together.
    size: int
    filename: str
    purpose: str
    #: The seconds after which the file expires; None means never.
    lifetime: int | None
    created_at: int
    id: str = field(default_factory=lambda: identifiers.hex_id("upload_"))
    status: str = "pending"
    #: Where the bytes of each part are, by the id of the part.
    parts: dict[str, Path] = field(default_factory=dict)
    #: The file of a completed upload.
    file: StoredFile | None = None

    @property
    def expires_at(self) -> int:
        """Return the time at which a pending upload expires."""
        return self.created_at + LIFE_SECONDS

    def close(self, status: str) -> None:
        """Set a final status, and delete the parts."""
        self.status = status
        for path in self.parts.values():
            path.unlink(missing_ok=True)
        self.parts.clear()

    def wire(self) -> dict[str, Any]:
        """Return the Upload object of the API."""
        return {
            "id": self.id,
            "object": "upload",
            "bytes": self.size,
            "created_at": self.created_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": self.status,
            "expires_at": self.expires_at,
            "file": None if self.file is None else self.file.wire(),
        }


class UploadStore:
    """Hold all uploads by id; threads may share the store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def add(self, upload: Upload) -> Upload:
        """Add a new upload."""
        with self._lock:
            self._uploads[upload.id] = upload
        return upload

    def pending(self, upload_id: str) -> Upload:
        """Return an upload that still takes parts; raise ApiError 404 if it is unknown, 400 if it has ended or expired."""
        with self._lock:
            upload = self._uploads.get(upload_id)
        if upload is None:
            raise ApiError(404, f"No such Upload object: {upload_id}", param="id")
        if upload.status == "pending" and upload.expires_at <= self._clock.now():
            upload.close("expired")
        if upload.status != "pending":
            raise ApiError(400, f"Upload is {upload.status}; it must be pending.")
        return upload
