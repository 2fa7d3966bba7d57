"""The results of a batch to disk: continued where an earlier download stopped, and checked against the report."""

import base64
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import quote

import msgspec

from batch_client import APIConnectionError, NotFoundError

from .errors import Refused, Stopped
from .home import naming
from .patience import Patience
from .screen import Bar
from .service import Service, View

OUTPUT, ERRORS, REPORT = "output.jsonl", "errors.jsonl", "report.json"
CHUNK: Final = 1024 * 1024
CRC32: Final = "CRC32:"


class Results(msgspec.Struct, frozen=True):
    """The files of an ended batch, in a folder."""

    folder: Path

    @property
    def output(self) -> Path:
        """Return the file of answers with success."""
        return self.folder / OUTPUT

    @property
    def errors(self) -> Path:
        """Return the file of all other lines."""
        return self.folder / ERRORS


class _Sums:
    """The checksums of bytes that come one after the other."""

    def __init__(self) -> None:
        self.size, self.crc, self.sha, self.lines = 0, 0, hashlib.sha256(), 0

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.crc = zlib.crc32(chunk, self.crc)
        self.sha.update(chunk)
        self.lines += chunk.count(b"\n")


class Fetch:
    """Fetch the results of one batch into a folder; files that are there and right are left."""

    def __init__(self, service: Service, patience: Patience, view: View, folder: Path) -> None:
        """Prepare to fetch into a folder, which is made."""
        self._service, self._patience, self._view, self._folder = service, patience, view, folder

    def run(self, bar: Bar) -> Results:
        """Fetch all results; raises Refused if there are none, and Stopped if a file is not what the report says."""
        with naming(self._folder):
            return self._run(bar)

    def _run(self, bar: Bar) -> Results:
        self._folder.mkdir(parents=True, exist_ok=True)
        report = self._report()
        sizes = [((report or {}).get(member) or {}).get("bytes") or 0 for member in ("output", "errors")]
        bar.show(0, sum(sizes) or None)
        for name, member, file_id in (
            (OUTPUT, "output", self._view.output_file_id),
            (ERRORS, "errors", self._view.error_file_id),
        ):
            self._fetch(self._folder / name, file_id, (report or {}).get(member) or {}, bar)
        return Results(self._folder)

    def _report(self) -> dict[str, Any] | None:
        """Fetch the report, which proves the other files; a provider has none."""
        if not self._service.is_batchyard:
            return None
        path = f"/batches/{quote(self._view.id, safe='')}/report"
        try:
            data = self._patience.run(lambda: b"".join(self._service.client.download(path)))
        except NotFoundError as error:
            why = "; ".join(self._view.reasons[:3])
            raise Refused(f"{self._view.id} has no results.{f' {why}' if why else ''}") from error
        (self._folder / REPORT).write_bytes(data)
        found = msgspec.json.decode(data)
        return found if isinstance(found, dict) else None

    def _fetch(self, path: Path, file_id: str | None, told: dict[str, Any], bar: Bar) -> None:
        if file_id is None:
            path.write_bytes(b"")
            return
        if path.exists() and told and _right(_sums_of(path), told):
            bar.passed(path.stat().st_size)
            return
        part = path.with_name(f".{path.name}.{self._view.id[-12:]}.part")
        for last in (False, True):
            sums = self._patience.run(lambda: self._continue(part, str(file_id), bar))
            if _right(sums, told):
                part.replace(path)
                return
            part.unlink()  # it is fetched once more from its first byte
            bar.passed(-sums.size)
            if last:
                raise Stopped(f"{path.name} is not what the report says, twice. Run the same command again.")

    def _continue(self, part: Path, file_id: str, bar: Bar) -> _Sums:
        """Fetch what is missing of a file, behind what an earlier command has."""
        sums = _sums_of(part) if part.exists() else _Sums()
        bar.passed(sums.size)
        before = sums.size
        with part.open("ab") as file:
            try:
                self._append(file, file_id, sums, bar)
            except APIConnectionError:
                bar.passed(-sums.size)  # the next try counts what is there
                raise
        if not before and not sums.size:
            part.touch()
        return sums

    def _append(self, file: BinaryIO, file_id: str, sums: _Sums, bar: Bar) -> None:
        path = f"/files/{quote(file_id, safe='')}/content"
        client = self._service.client
        chunks = client.download(
            path, given=sums.size, checksum=sums.crc, size_of=lambda: client.retrieve_file(file_id).bytes
        )
        for chunk in chunks:
            file.write(chunk)
            sums.add(chunk)
            bar.passed(len(chunk))


def _sums_of(path: Path) -> _Sums:
    sums = _Sums()
    for chunk in _chunks(path):
        sums.add(chunk)
    return sums


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _right(sums: _Sums, told: dict[str, Any]) -> bool:
    """Tell whether a file is what the report says of it; without a report, its framing has told that it is whole."""
    if not told:
        return True
    crc = f"{CRC32}{base64.b64encode(sums.crc.to_bytes(4, 'big')).decode()}"
    other = not str(told.get("checksum")).startswith(CRC32)  # a kind for which Python has no library
    checks = {"bytes": sums.size, "lines": sums.lines, "sha256": sums.sha.hexdigest()} | (
        {} if other else {"checksum": crc}
    )
    return all(told.get(name) in (None, found) for name, found in checks.items())
