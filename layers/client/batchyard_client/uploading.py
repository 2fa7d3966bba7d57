"""The bytes of a file to the service: by a form if they are few, else straight to S3 in parts, side by side."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Final

from batch_client import APIStatusError, BatchClientError, ConflictError, NotFoundError, SourceError

from .errors import Stopped
from .patience import Patience
from .service import Service

MOST_IN_FORM: Final = 4_400_000  # bytes
SMALLEST_PART: Final = 8 * 1024 * 1024
MOST_PARTS: Final = 1_000
SIDE_BY_SIDE: Final = 4  # parts
CHUNK: Final = 256 * 1024
LINK_REFUSED: Final = (400, 403, 404)  # of a link that has expired, or of parts that are removed
LOOKS: Final = (0.0, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before each look whether the bytes are there


class Stretch:
    """A stretch of a file, read from its first byte each time; what is read is told, and taken back if it is read again."""

    def __init__(self, path: Path, start: int, size: int, passed: Callable[[int], None], stop: threading.Event) -> None:
        self._path, self._start, self._size, self._passed, self._stop = path, start, size, passed, stop
        self.told = 0

    def __len__(self) -> int:
        """Return the number of bytes."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes; raises SourceError if the file is shorter, or if the upload is stopped."""
        self.take_back()
        left = self._size
        try:
            with self._path.open("rb", buffering=0) as file:
                file.seek(self._start)
                while left:
                    chunk = file.read(min(CHUNK, left))
                    if not chunk or self._stop.is_set():
                        raise SourceError(
                            "The input changed while it was sent" if not chunk else "The upload is stopped"
                        )
                    left -= len(chunk)
                    yield chunk
                    self.told += len(chunk)
                    self._passed(len(chunk))
        except OSError as error:
            raise SourceError(f"{self._path} cannot be read: {error.strerror}") from error

    def take_back(self) -> None:
        """Take back what was told."""
        if self.told:
            self._passed(-self.told)
            self.told = 0


def part_size(size: int) -> int:
    """Return the size of the parts of a file."""
    return max(SMALLEST_PART, -(-size // MOST_PARTS))


class Upload:
    """Send one file; `keep` is told the id of the file before its bytes are sent."""

    def __init__(
        self, service: Service, patience: Patience, path: Path, filename: str, passed: Callable[[int], None]
    ) -> None:
        """Prepare to send the file at a path under a name."""
        self._service, self._patience, self._path, self._filename = service, patience, path, filename
        self._passed = passed
        self._size = path.stat().st_size
        self._stop = threading.Event()

    def send(self, file_id: str | None, keep: Callable[[str], None]) -> str:
        """Send what has not come of the file, and return its id; `file_id` is that of an upload that was left off."""
        if not self._service.is_batchyard or self._size <= MOST_IN_FORM:
            return self._by_form()
        way = self._again(file_id) if file_id else None
        if way is None:
            way = self._patience.run(lambda: self._service.announce(self._filename, self._size, part_size(self._size)))
            keep(str(way["id"]))
        self._send_parts(way)
        return str(way["id"])

    def _by_form(self) -> str:
        body = Stretch(self._path, 0, self._size, self._passed, self._stop)
        return self._patience.run(lambda: self._service.client.create_file(body, self._filename)).id

    def _again(self, file_id: str) -> dict[str, Any] | None:
        """Return the addresses for an upload that was left off; None if it cannot go on, or is of other bytes."""
        try:
            way = self._patience.run(lambda: self._service.addresses(file_id))
        except (NotFoundError, ConflictError):  # deleted, expired, or its parts are removed
            return None
        if way.get("true_bytes", way["bytes"]) != self._size:
            return None
        self._passed(self._size - sum(part["bytes"] for part in way["upload"]["parts"]))
        return way

    def _send_parts(self, way: dict[str, Any]) -> None:
        """Send the parts that have not come, and ask for new addresses where these have expired."""
        refused, file_id = 0, str(way["id"])
        while way["upload"]["parts"]:
            try:
                self._send_each(way["upload"]["parts"])
            except APIStatusError as error:
                refused += 1
                if error.status not in LINK_REFUSED or refused > MOST_PARTS:
                    raise
                before = len(way["upload"]["parts"])
                way = self._patience.run(lambda: self._service.addresses(file_id))
                if len(way["upload"]["parts"]) == before and refused > 3:  # new links are refused, too
                    raise
            else:
                break
        self._see_whole(file_id)

    def _send_each(self, parts: list[dict[str, Any]]) -> None:
        size = part_size(self._size)
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            waiting: set[Future[None]] = set()
            left = iter(parts)
            try:
                for part in left:
                    waiting.add(pool.submit(self._send_part, part, (part["number"] - 1) * size))
                    if len(waiting) >= SIDE_BY_SIDE:
                        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                        for future in done:
                            future.result()
                for future in waiting:
                    future.result()
            except BaseException:
                self._stop.set()  # the others end with their next chunk
                raise
            finally:
                wait(waiting)
                self._stop.clear()

    def _send_part(self, part: dict[str, Any], start: int) -> None:
        body = Stretch(self._path, start, part["bytes"], self._passed, self._stop)
        try:
            self._patience.run(lambda: self._service.client.put_elsewhere(part["url"], body, {}))
        except BatchClientError:
            body.take_back()
            raise

    def _see_whole(self, file_id: str) -> None:
        for pause in LOOKS:
            time.sleep(pause)
            way = self._patience.run(lambda: self._service.addresses(file_id))
            if way["status"] == "processed":
                return
            if way["upload"]["parts"]:
                raise Stopped("Parts of the upload are missing. Run the same command again: it sends these alone.")
        raise Stopped("The service does not see the file yet. Run the same command again to go on.")
