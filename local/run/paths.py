"""Check the user's paths before anything is started."""

import os
from pathlib import Path

from local.errors import UsageError
from local.run.out_folder import find_foreign, is_ours, result_paths

_ANOTHER = "Name another folder: make run OUT=results"


def check_paths(source: Path, out: Path) -> None:
    """Raise UsageError if `source` cannot be read, or `out` cannot hold the results without harm to `source`."""
    if not source.exists():
        raise UsageError(f"There is no file {source}. Name yours with: make run INPUT=requests.jsonl")
    if not source.is_file():
        raise UsageError(f"{source} is not a file. INPUT is one JSONL file of batch requests.")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file. OUT must be a folder, for three files of results.")
    _check_results(out, source)
    try:
        source.open("rb").close()
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}.") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise UsageError(f"Nothing may be written to {out}. {_ANOTHER}")


def _check_results(out: Path, source: Path) -> None:
    for path in result_paths(out):
        if path.resolve() == source.resolve() and not is_ours(path):
            raise UsageError(f"The results would overwrite the input, {source}. {_ANOTHER}")
    foreign = find_foreign(out)
    if foreign:
        what = "a folder" if foreign.is_dir() else "a file"
        raise UsageError(f"{foreign} is {what} that no run has put there, and stays as it is. {_ANOTHER}")
