"""Check the user's paths before anything is started."""

import os
from pathlib import Path

from local.errors import UsageError
from local.run.results import result_paths

_ANOTHER = "Name another folder: make run OUT=results"


def check_paths(source: Path, out: Path) -> None:
    """Raise UsageError if `source` cannot be read, or `out` cannot hold the results without harm to `source`."""
    if not source.exists():
        raise UsageError(f"There is no file {source}. Name yours with: make run INPUT=requests.jsonl")
    if not source.is_file():
        raise UsageError(f"{source} is not a file. INPUT is one JSONL file of batch requests.")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file. OUT must be a folder, for three files of results.")
    for path in result_paths(out):
        _check_result(path, source)
    try:
        source.open("rb").close()
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}.") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise UsageError(f"Nothing may be written to {out}. {_ANOTHER}")


def _check_result(path: Path, source: Path) -> None:
    if path.resolve() == source.resolve():
        raise UsageError(f"The results would overwrite the input, {source}. {_ANOTHER}")
    if path.is_dir():
        raise UsageError(f"{path} is a folder, where a result should be. {_ANOTHER}")
