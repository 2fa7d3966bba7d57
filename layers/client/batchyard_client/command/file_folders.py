"""The results of each file of a gathered batch, cut out of the whole results: one folder for each file.

The names of files are whatever S3 takes: `..`, names that begin at the root, very long ones, or two that differ by case alone.
A name that might lead elsewhere, or to the folder of another file, gives way to one made of the number of the file.
"""

import base64
import re
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from batchyard_client.delivering import alone, kept
from batchyard_client.errors import Refused, Stopped, UsageFault
from batchyard_client.fetching import CHUNK, CRC32, ERRORS, OUTPUT, Results
from batchyard_client.front import Front
from batchyard_client.home import naming
from batchyard_client.inputs import is_folder
from batchyard_client.service import View

FOLDER, LIST = "files", "files.jsonl"
PART: Final = f".{LIST}.part"
PAGE: Final = 1_000  # files that are asked for together
LONGEST_PART, LONGEST, DEEPEST = 100, 180, 12  # bytes of a part of a name and of all, and its parts
OWN: Final = "~"  # with which only names of ours begin
# What Windows does not take in a name; and names that stand for a device there, whatever follows a point.
FORBIDDEN: Final = re.compile(r'[<>:"\\|?*]')
DEVICES: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


class _Part(msgspec.Struct, frozen=True):
    """A result of one file."""

    bytes: int
    checksum: str


class _File(msgspec.Struct, frozen=True):
    """What the service says of a file."""

    number: int
    file: str
    output: _Part | None
    errors: _Part | None
    set_aside: dict[str, Any] | None = None


class Names:
    """Name the folders of files; each name is within its place, and no two are the same on any system."""

    def __init__(self) -> None:
        """Begin without a name."""
        self._taken: set[str] = set()

    def of(self, file: str, number: int) -> str:
        """Return the name of the folder of a file: that of the file if it is plain, else one made of its number."""
        name = file if _plain(file) else _made(file, number)
        if (folded := _folded(name)) in self._taken:
            name = _made(file, number)
            folded = _folded(name)
        self._taken.add(folded)
        return name


def check_folder(out: str, batch_id: str) -> None:
    """Refuse what is no folder, or one that holds the results of other files."""
    if not is_folder(out):
        raise UsageFault(f"The results of files need a folder. Name one that ends in '/': --out {batch_id}-results/")
    if not is_free(Path(out), batch_id):
        raise UsageFault(f"{Path(out) / FOLDER} holds other files. Name another folder with --out.")


def check_files(front: Front, batch_id: str) -> None:
    """Have the service refuse a batch without files of its own, before anything is fetched."""
    front.patience.run(lambda: front.service.inside(batch_id, "files", {"limit": "0"}))


def is_free(out: Path, batch_id: str) -> bool:
    """Tell whether the folder holds no files of results, or those of this batch."""
    told = next((path for path in (out / LIST, out / PART) if path.is_file()), None)
    if told is None:
        return not any(out.glob(f"{FOLDER}/*"))
    with told.open("rb") as file:
        return batch_id.encode() in file.read(100)


def write_folders(front: Front, view: View, out: str) -> None:
    """Write the results of each file, out of those that lie in `out`, into a folder of its own, and a list of them.

    Raises Stopped if they are not what the service says of them, or the disk does not take them.
    """
    with kept(out), alone(front, view):
        _write(front, view, Results(Path(out)))


def _write(front: Front, view: View, results: Results) -> None:
    files, names, count, aside = _listed(front, view.id), Names(), 0, 0
    part = results.folder / PART
    with (
        results.output.open("rb") as output,
        results.errors.open("rb") as errors,
        naming(part),
        part.open("wb") as told,
    ):
        for count, (entry, file) in enumerate(files, 1):
            name = names.of(file.file, file.number)
            told.write(msgspec.json.encode({"batch_id": view.id, "folder": f"{FOLDER}/{name}", **entry}) + b"\n")
            if count == 1:
                told.flush()  # from now on the folder is that of this batch
            aside += file.set_aside is not None
            folder = results.folder / FOLDER / name
            folder.mkdir(parents=True, exist_ok=True)
            for whole, own, result in ((output, file.output, OUTPUT), (errors, file.errors, ERRORS)):
                with naming(folder / result):
                    _cut(whole, own, folder / result, file.file)
        if output.read(1) or errors.read(1):
            raise Stopped("The results have lines of no file. Run the same command again.")
    part.replace(results.folder / LIST)
    place = results.folder
    some = f" Set aside, as they hold no requests: {aside:,}." if aside else ""
    front.screen.say(f"The results of {count:,} files are in {place / FOLDER}, and {place / LIST} lists them.{some}")


def _listed(front: Front, batch_id: str) -> Iterator[tuple[dict[str, Any], _File]]:
    """Yield all files of a batch in their order: as the service tells of them, and read."""
    after, more = 0, True
    while more:
        asked = {"after": str(after), "limit": str(PAGE)}
        page = front.patience.run(lambda: front.service.inside(batch_id, "files", asked))  # noqa: B023 - called at once
        try:
            found = msgspec.convert(page.get("data"), list[_File])
        except msgspec.ValidationError as error:
            raise Refused(f"The answer of the service is no list of files: {error}.") from error
        yield from zip(page["data"], found, strict=True)
        more = bool(found) and bool(page.get("has_more"))
        after = found[-1].number if found else after


def _cut(whole: BinaryIO, own: _Part | None, path: Path, file: str) -> None:
    """Write the next bytes of a whole result as the result of a file; it gets its name once it is proved."""
    part, left, crc = path.with_name(f".{path.name}.part"), own.bytes if own else 0, 0
    with part.open("wb") as written:
        while left and (chunk := whole.read(min(left, CHUNK))):
            written.write(chunk)
            left, crc = left - len(chunk), zlib.crc32(chunk, crc)
    if left or (own and own.checksum != f"{CRC32}{base64.b64encode(crc.to_bytes(4, 'big')).decode()}"):
        part.unlink()
        raise Stopped(f"The results of {file!r} are not what the service says of them. Run the same command again.")
    part.replace(path)


def _plain(name: str) -> bool:
    """Tell whether a name leads to a folder of its own below its place, on any system."""
    parts = name.split("/")
    short = len(name.encode("utf-8", "surrogatepass")) <= LONGEST and len(parts) <= DEEPEST
    return short and all(map(_plain_part, parts)) and not {OUTPUT, ERRORS}.intersection(map(_folded, parts[1:]))


def _plain_part(part: str) -> bool:
    short = 0 < len(part.encode("utf-8", "surrogatepass")) <= LONGEST_PART
    quiet = part.isprintable() and part.strip(" ") == part and part[:1] not in (".", OWN) and part[-1:] != "."
    return short and quiet and not FORBIDDEN.search(part) and not DEVICES.fullmatch(part)


def _folded(name: str) -> str:
    """Return what is the same for names that some system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", name).upper().casefold())


def _made(file: str, number: int) -> str:
    """Make a name that no other file has, with what is plain of its own."""
    tail = re.sub(r"[^A-Za-z0-9_-]+", "_", file.rpartition("/")[2])[:40].strip("_")
    return f"{OWN}{number}-{tail}" if tail else f"{OWN}{number}"
