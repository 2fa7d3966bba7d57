"""The results of a run in the user's folder: whole or not at all, and never an earlier run's taken for this one's."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.errors import ResultsError
from local.stack.running import TENANT, Stack

RESULTS = ("output.jsonl", "errors.jsonl", "report.json")


def result_paths(out: Path) -> list[Path]:
    """Return where the results of a run into `out` are, or will be."""
    return [out / name for name in RESULTS]


@contextmanager
def told_of_earlier(out: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Say at the end of the block which results in `out` were there before it."""
    before = _identities(out)
    try:
        yield
    finally:
        now = _identities(out)
        left = [name for name, identity in before.items() if now.get(name) == identity]
        if left:
            say(f"What is in {out} is from an earlier run: {', '.join(left)}.")


def _identities(out: Path) -> Mapping[str, tuple[int, int]]:
    present = {path.name: path.stat() for path in result_paths(out) if path.exists()}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in present.items()}


def fetch(stack: Stack, batch_id: str, out: Path) -> list[Path]:
    """Download the results that the batch has and put them in the place of earlier ones; return their paths.

    Earlier results stay as they are until all new ones are on this machine, and for good when the batch has none.

    Raises:
        ResultsError: they cannot be written.

    """
    prefix = f"results/{TENANT}/{batch_id}/"
    listed = stack.clients.s3.list_objects_v2(Bucket=stack.bucket, Prefix=prefix).get("Contents", [])
    present = {item["Key"].removeprefix(prefix) for item in listed} & set(RESULTS)
    try:
        with tempfile.TemporaryDirectory(prefix=".results-", dir=out) as aside:
            for name in present:
                stack.clients.s3.download_file(stack.bucket, prefix + name, str(Path(aside, name)))
            return _replace(out, Path(aside), present)
    except OSError as error:
        raise ResultsError(f"The results could not be written to {out}: {error.strerror}.") from error


def _replace(out: Path, aside: Path, present: set[str]) -> list[Path]:
    if not present:
        return []
    for path in result_paths(out):
        if path.name in present:
            (aside / path.name).replace(path)
        else:
            path.unlink(missing_ok=True)
    return [path for path in result_paths(out) if path.name in present]
