"""What is to be sent: the requests of an input, their digest, and the file that holds them."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from . import spool
from .errors import UsageFault
from .home import Home

SETTLED: Final = 2_000_000_000  # nanoseconds; a file that was changed just before it was read may be changed unseen
ANY_ENDPOINT: Final = "*"  # has Batchyard take the url that each line says
Passed = Callable[[int], None]


class Request(msgspec.Struct):
    """The members of a request that are looked at here."""

    custom_id: str
    url: str
    method: str = "POST"


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an input once it was read."""

    digest: str
    lines: int
    endpoint: str
    #: Bytes of the requests, before they are packed.
    size: int


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A digest with the state of the file from which it was made."""

    found: Digest
    state: list[int]
    seen_at: int


class Content:
    """The requests of one input: a file of requests as it is, or a table whose rows become requests."""

    def __init__(
        self, home: Home, path: Path | None, lines: Callable[[], Iterator[bytes]] | None, name: object
    ) -> None:
        """Use the file at `path`; with `lines`, what these make of the file, or of a table that is no file.

        `name` says all by which the same file could give other lines.
        """
        self.path, self._home, self._lines = path, home, lines
        self._seen = None if path is None else f"seen/{_hashed([str(path), name])}.json"
        self._read_at: list[int] = []

    @property
    def made(self) -> bool:
        """Tell whether the requests are made here, and stand in no file of the user's."""
        return self._lines is not None

    def digest(self, passed: Passed, *, pack: bool) -> Digest:
        """Read the input once, unless it was read before and has not changed; raises UsageFault."""
        self._read_at = state = self._state()
        seen = self._known()
        if seen is not None:
            return seen
        now = time.time_ns()
        found = self._make(passed, pack=pack) if self._lines is not None else _of_requests(self._own_path(), passed)
        if self._seen is not None and state == self._state() and now - state[1] > SETTLED:
            self._home.write(self._seen, msgspec.json.encode(Seen(found=found, state=state, seen_at=now)))
        return found

    def digest_now(self) -> str:
        """Return the digest of what the input is now, without keeping anything."""
        seen = self._known()
        if seen is not None:
            return seen.digest
        hashed = hashlib.sha256()
        chunks = spool.pieces(self._own_path()) if self._lines is None else spool.gathered(self._lines())
        for chunk in chunks:
            hashed.update(chunk)
        return hashed.hexdigest()

    def body(self, found: Digest, passed: Passed, *, pack: bool) -> Path:
        """Return the file that is sent; its name ends in .gz if it is packed. Raises UsageFault if the input has changed."""
        if self._lines is None and not pack:
            return self._own_path()
        known = self._spool_of(found, pack=pack)
        if not known.exists():
            again = self._make(passed, pack=pack) if self._lines is not None else self._pack(found, passed)
            if again.digest != found.digest:
                raise UsageFault("The input changed while it was read. Run the command again.")
        return known

    def check_unchanged(self) -> None:
        """Raise UsageFault if the input has changed since it was read: its key would be that of another content."""
        if self._state() != self._read_at:
            raise UsageFault("The input changed while it was sent. Run the command again.")

    def forget_body(self, found: Digest) -> None:
        """Remove what was kept for the upload."""
        for pack in (True, False):
            self._spool_of(found, pack=pack).unlink(missing_ok=True)

    def _own_path(self) -> Path:
        if self.path is None:
            raise UsageFault("A table needs to know how its rows become requests.")
        return self.path

    def _spool_of(self, found: Digest, *, pack: bool) -> Path:
        return self._home.path(f"spool/{found.digest}.jsonl{'.gz' if pack else ''}")

    def _state(self) -> list[int]:
        if self.path is None:
            return []
        try:
            stat = self.path.stat()
        except OSError as error:
            raise UsageFault(f"{self.path} cannot be read: {error.strerror}.") from error
        return [stat.st_size, stat.st_mtime_ns, stat.st_ino]

    def _known(self) -> Digest | None:
        data = self._home.read(self._seen) if self._seen is not None else None
        if data is None:
            return None
        try:
            seen = msgspec.json.decode(data, type=Seen)
        except msgspec.DecodeError:
            return None  # the input is read again
        return seen.found if seen.state == self._state() else None

    def _pack(self, found: Digest, passed: Passed) -> Digest:
        """Pack a file of requests as it is."""
        hashed = hashlib.sha256()

        def chunks() -> Iterator[bytes]:
            for chunk in spool.pieces(self._own_path(), passed):
                hashed.update(chunk)
                yield chunk

        self._spooled(chunks(), lambda: found, pack=True)
        return msgspec.structs.replace(found, digest=hashed.hexdigest())

    def _make(self, passed: Passed, *, pack: bool) -> Digest:
        """Make the requests of a table, and keep them on disk."""
        hashed, count, size, first = hashlib.sha256(), 0, 0, b""
        lines = self._lines

        def counted() -> Iterator[bytes]:
            nonlocal count, first
            for line in lines() if lines is not None else ():
                first = first or line
                count += 1
                yield line

        def chunks() -> Iterator[bytes]:
            nonlocal size
            for chunk in spool.gathered(counted()):
                hashed.update(chunk)
                size += len(chunk)
                yield chunk
                passed(len(chunk))

        def found() -> Digest:
            if not count:
                raise UsageFault("The table has no rows.")
            return Digest(digest=hashed.hexdigest(), lines=count, endpoint=_request(first, "").url, size=size)

        return self._spooled(chunks(), found, pack=pack)

    def _spooled(self, chunks: Iterator[bytes], found: Callable[[], Digest], *, pack: bool) -> Digest:
        temporary = self._home.path(f"spool/.new-{os.getpid()}-{os.urandom(4).hex()}")
        try:
            spool.write(temporary, chunks, pack=pack)
            digest = found()
            temporary.replace(self._spool_of(digest, pack=pack))
        except OSError as error:
            free = shutil.disk_usage(temporary.parent).free
            raise UsageFault(
                f"The requests are kept in {temporary.parent} until they are sent, and that fails: {error.strerror}"
                f" ({free:,} bytes are free). BATCHYARD_HOME names another folder."
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
        return digest


def _of_requests(path: Path, passed: Passed) -> Digest:
    """Read a file of requests as it is: JSON lines, or these as gzip."""
    hashed, lines, size, last = hashlib.sha256(), 0, 0, b""
    first = _first_line(path)
    for chunk in spool.pieces(path, passed):
        hashed.update(chunk)
        lines += chunk.count(b"\n")
        size, last = size + len(chunk), chunk
    lines = 0 if path.suffix == ".gz" else lines + (not last.endswith(b"\n"))
    return Digest(digest=hashed.hexdigest(), lines=lines, endpoint=_request(first, path.name).url, size=size)


def _first_line(path: Path) -> bytes:
    import gzip  # noqa: PLC0415 - only here

    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            line: bytes = file.readline(64 * 1024 * 1024)
    except (OSError, EOFError) as error:
        raise UsageFault(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not line.strip():
        raise UsageFault(f"{path} has no request in its first line.")
    return line.removeprefix(b"\xef\xbb\xbf")


def _request(line: bytes, name: str) -> Request:
    try:
        return msgspec.json.decode(line, type=Request)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageFault(
            f"The first line of {name} is no request with custom_id, url and body ({error})."
            " For a table of rows say how a row becomes a request: --prompt, --embed or --body."
        ) from error


def _hashed(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:32]
