"""The user's folder for results: a folder for each batch, and links that show the latest batch that has answers.

`OUT/latest` is a link to the folder of that batch. `OUT/output.jsonl` and its neighbours are links through `latest`, so all
of them change at once. No run changes a file of another run.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

LATEST = "latest"
RESULTS = ("output.jsonl", "errors.jsonl", "retry.jsonl", "report.json")
#: A batch without any of these has sent nothing; its report does not take the place of results.
ANSWERS = frozenset(RESULTS[:2])
_LOCK = ".lock"


def result_paths(out: Path) -> list[Path]:
    """Return the paths of the results of a run into `out`."""
    return [out / name for name in RESULTS]


def latest_batch(out: Path) -> str | None:
    """Return the name of the folder that `latest` in `out` shows; None if there is none."""
    link = out / LATEST
    return str(link.readlink()) if link.is_symlink() else None


def shows_answers(out: Path) -> bool:
    """Tell whether `latest` in `out` shows a batch that has answers."""
    return any((out / LATEST / name).exists() for name in ANSWERS)


def is_ours(path: Path) -> bool:
    """Tell whether a path in OUT is a link that a run has made."""
    if not path.is_symlink():
        return False
    target = path.readlink().parts
    return len(target) == 1 if path.name == LATEST else target == (LATEST, path.name)


def find_foreign(out: Path) -> Path | None:
    """Return a path in `out` that a run would have to replace but no run has made; None if there is none."""
    paths = (*result_paths(out), out / LATEST)
    return next((path for path in paths if os.path.lexists(path) and not is_ours(path)), None)


def settled(source: Path) -> Path:
    """Return the file itself for a link that a run has made: another run may change the link at any time."""
    return source.resolve() if is_ours(source) else source


def publish(incoming: Path, out: Path, say: Callable[[str], None]) -> list[Path]:
    """Move the folder `incoming`, which is on the disk of `out`, into `out`, and return the paths of the results there.

    The links are switched to it if it has answers, or if they show no batch that has some.

    Raises:
        OSError: the folder cannot be moved.

    """
    present = {path.name for path in incoming.iterdir()}
    for path in (*incoming.iterdir(), incoming):
        _write_through(path)
    with _locked(out):
        folder = _free_path(out / incoming.name)
        incoming.rename(folder)
        if present & ANSWERS or not shows_answers(out):
            _switch(out, folder.name, present, say)
    return [path for path in result_paths(folder) if path.name in present]


def keep(incoming: Path, place: Path) -> list[Path]:
    """Move the folder `incoming`, which is on the disk of `place`, into `place`, and return the paths of the results.

    Raises:
        OSError: the folder cannot be moved.

    """
    for path in (*incoming.iterdir(), incoming):
        _write_through(path)
    folder = incoming.rename(_free_path(place / incoming.name))
    return [path for path in result_paths(folder) if path.exists()]


@contextmanager
def name_earlier_results(out: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Say at the end of the block if the links in `out` still show the answers that they have shown before."""
    before = latest_batch(out)
    try:
        yield
    finally:
        if before is not None and latest_batch(out) == before and shows_answers(out):
            say(f"What {out / LATEST} shows is from an earlier run, {before}.")


def _switch(out: Path, name: str, present: Collection[str], say: Callable[[str], None]) -> None:
    """Make the links show the folder `name`, and say so if they cannot."""
    if foreign := find_foreign(out):
        say(f"{foreign} is not from a run and stays as it is; the results are in {out / name}.")
        return
    try:
        for path in result_paths(out):
            if path.name in present and not path.is_symlink():
                path.symlink_to(Path(LATEST, path.name))  # shows nothing before the next line
        _replace_link(out / LATEST, name)
    except OSError as error:
        say(f"{out} takes no links ({error.strerror}); the results are in {out / name}.")
        return
    for path in result_paths(out):
        if path.name not in present:
            path.unlink(missing_ok=True)


def _replace_link(link: Path, target: str) -> None:
    with tempfile.TemporaryDirectory(prefix=".link-", dir=link.parent) as place:
        fresh = Path(place, link.name)
        fresh.symlink_to(target)
        fresh.replace(link)


def _free_path(path: Path) -> Path:
    """Return the path, or one like it if the path is taken."""
    names = (path, *(path.with_name(f"{path.name}-{number}") for number in range(2, 1000)))
    return next(each for each in names if not os.path.lexists(each))


def _write_through(path: Path) -> None:
    """Wait until the disk has what was written."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    with (out / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
