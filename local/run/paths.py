"""Check the user's paths before anything is started."""

import os
from collections.abc import Mapping
from pathlib import Path

from local.errors import UsageError
from local.run.out_folder import find_foreign, is_ours, result_paths
from local.stack.provider_choice import Own

#: What a run takes where no input is named.
SAMPLE = "local/requests.jsonl"
_NAME_IT = "Name your file: make run INPUT=requests.jsonl"
_ANOTHER = "Name another folder: make run OUT=results"


def choose_paths(source: str | None, out: str, own: Own | None, environment: Mapping[str, str]) -> tuple[Path, Path]:
    """Return the input and the folder for the results; `source` is None where the user has named no input.

    Raises:
        UsageError: nothing may be sent: a name is empty or misspelt, or the sample would go to the user's own provider.

    """
    for name, value in (("INPUT", source), ("OUT", out)):
        if value == "":
            raise UsageError(f"{name} is empty. {_NAME_IT if name == 'INPUT' else _ANOTHER}")
    if source is not None:
        return Path(source), Path(out)
    for name in environment:  # which make does not look at
        if name != "INPUT" and sorted(name.upper()) == sorted("INPUT"):
            raise UsageError(f"{name} is set but INPUT is not. {_NAME_IT}")
    if own:
        raise UsageError(f"INPUT names no file, and the sample is not sent to {own.url} unasked. {_NAME_IT}")
    return Path(SAMPLE), Path(out)


def check_paths(source: Path, out: Path) -> None:
    """Raise UsageError if `source` cannot be read, or `out` cannot hold the results without harm to `source`."""
    if not source.exists():
        raise UsageError(f"There is no file {source}. {_NAME_IT}")
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
