"""Put the results of a run into the user's folder: all of them or none, and never mixed with those of an earlier run."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.errors import ResultsError
from local.stack.running import TENANT, Stack

RESULTS = ("output.jsonl", "errors.jsonl", "report.json")


def result_paths(out: Path) -> list[Path]:
    """Return the paths of the results of a run into `out`."""
    return [out / name for name in RESULTS]


@contextmanager
def name_earlier_results(out: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Say at the end of the block which results in `out` are from before the block."""
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


def fetch_results(stack: Stack, batch_id: str, out: Path) -> list[Path]:
    """Download the results of the batch, replace earlier results in `out` by them, and return their paths.

    Earlier results stay until all new ones are on this machine, and stay for good if the batch has no results.

    Raises:
        ResultsError: the results cannot be written.

    """
    prefix = f"results/{TENANT}/{batch_id}/"
    listed = stack.clients.s3.list_objects_v2(Bucket=stack.bucket, Prefix=prefix).get("Contents", [])
    present = {item["Key"].removeprefix(prefix) for item in listed} & set(RESULTS)
    try:
        with tempfile.TemporaryDirectory(prefix=".results-", dir=out) as incoming:
            for name in present:
                stack.clients.s3.download_file(stack.bucket, prefix + name, str(Path(incoming, name)))
            return _replace(out, Path(incoming), present)
    except OSError as error:
        raise ResultsError(f"The results could not be written to {out}: {error.strerror}.") from error


def _replace(out: Path, incoming: Path, present: set[str]) -> list[Path]:
    if not present:
        return []
    for path in result_paths(out):
        if path.name in present:
            (incoming / path.name).replace(path)
        else:
            path.unlink(missing_ok=True)
    return [path for path in result_paths(out) if path.name in present]
