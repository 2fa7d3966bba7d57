"""What a source is, a file of requests or a table whose rows become requests by a recipe, and where its results may go."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .content import Content
from .errors import UsageFault
from .home import Home
from .job_record import JobRecord

if TYPE_CHECKING:
    from .tables import Recipe, Table

REQUESTS: Final = (".jsonl", ".jsonl.gz", ".ndjson")
TABLES: Final = (".csv", ".tsv", ".parquet", ".arrow", ".feather", ".json", ".jsonl")
PACKED: Final = (".gz", ".zst")
WHAT: Final = {"prompt", "embed", "body"}  # the options of a recipe that ask something
PLAIN: Final = (".jsonl", ".ndjson")  # of files of result lines


class Input:
    """One source, and how its requests come about."""

    def __init__(
        self, source: object, recipe: Mapping[str, Any] | None = None, reading: Mapping[str, str] | None = None
    ) -> None:
        """Use a path, an address in S3, or what holds rows; without a recipe the source is a file of requests."""
        self.recipe = {name: value for name, value in (recipe or {}).items() if value is not None} or None
        self.reading = {name: value for name, value in (reading or {}).items() if value is not None}
        self.is_file = isinstance(source, str | Path) and not str(source).startswith("s3://")
        self.source = source
        #: The table, where it was read already and is to stay the same.
        self.fixed: Table | None = None
        self.path = Path(str(source)).absolute() if self.is_file else None
        if self.recipe is None:
            self._check_requests()
        elif not self.recipe.keys() & WHAT:
            self._refuse_half(self.recipe)
        if self.path is not None and not self.path.is_file():
            raise UsageFault(f"There is no file {source}.")

    def _check_requests(self) -> None:
        if self.path is None:
            raise UsageFault("Say how a row becomes a request: a prompt, a body, or a column to embed.")
        if not self.path.name.lower().endswith(REQUESTS):
            raise UsageFault(
                f"{self.path.name} is a table: say how a row becomes a request with --prompt, --embed or --body."
                " Requests themselves come in a file that ends in .jsonl or .jsonl.gz."
            )

    def _refuse_half(self, recipe: Mapping[str, Any]) -> None:
        given = ", ".join(f"--{name.replace('_', '-')}" for name in recipe)
        told = f"{given} is for a table of rows, whose rows need a question too: --prompt, --embed or --body."
        if self.path is not None and self.path.name.lower().endswith(REQUESTS):
            told += f" A file of requests has all that in each request: leave {given} out."
        raise UsageFault(f"{self.name}: {told}")

    @property
    def name(self) -> str:
        """Return the name that messages and files have."""
        return self.path.name if self.path is not None else "table"

    @property
    def is_table(self) -> bool:
        """Tell whether rows become requests."""
        return self.recipe is not None

    def table(self) -> "Table":
        """Read the table; raises UsageFault."""
        if self.fixed is not None:
            return self.fixed
        from . import tables  # noqa: PLC0415 - only where there is a table

        source: Any = str(self.path) if self.path is not None else self.source
        reading: Any = self.reading  # what is no format is told by the tables
        table = tables.read(source, **reading)
        if not isinstance(source, str):
            self.fixed = table  # a generator can be read once, and is kept in memory
        return table

    def settled(self) -> "Input":
        """Return the input as it is now: a file that changes from here on is refused where it is read."""
        found = copy(self)
        found.fixed = self.table() if self.is_table else None
        return found

    def made_recipe(self) -> "Recipe":
        """Return the recipe; raises TableError if it is none."""
        from . import tables  # noqa: PLC0415 - only where there is a table

        return tables.Recipe(**(self.recipe or {}))

    def content(self, home: Home) -> Content:
        """Return the requests."""
        if not self.is_table:
            return Content(home, self.path, None, [])
        recipe = self.made_recipe()
        table = self.table()

        def lines() -> Iterator[bytes]:
            from . import tables  # noqa: PLC0415 - only where there is a table

            return tables.requests(table, recipe)

        watched = self.path if "image_column" not in (self.recipe or {}) else None  # images are files of their own
        return Content(home, watched, lines, [self.recipe, self.reading])

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that are sent, made of the rows if the input is a table."""
        if not self.is_table:
            return self.requests()
        from . import tables  # noqa: PLC0415 - only where there is a table

        return tables.requests(self.table(), self.made_recipe())

    def requests(self) -> Iterator[bytes]:
        """Yield the lines of a file of requests, without empty ones."""
        import gzip  # noqa: PLC0415 - only here

        path = self.path or Path()
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from (line for line in file if line.strip())

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the table, or the requests of the file."""
        if self.is_table:
            yield from self.table().rows()
        else:
            yield from (msgspec.json.decode(line) for line in self.requests())


def named_input(
    record: JobRecord | None, batch_id: str, source: object, recipe: Mapping[str, Any], reading: Mapping[str, str]
) -> Input:
    """Return the input that a caller names; of its recipe, what is not named is as the batch was sent."""
    whole = {**((record and record.recipe) or {}), **recipe}
    made = Input(source, whole, {**(record.reading if record else {}), **reading})
    from .tables.errors import TableError  # noqa: PLC0415 - only where an input is named

    try:
        _ = made.made_recipe().columns if made.is_table else ()
    except TableError as error:
        if record is not None:
            raise
        raise UsageFault(
            f"{str(error).rstrip('.')}. This machine did not send {batch_id}, so name the whole recipe with which it was sent:"
            " --model, --prompt and what else there was."
        ) from error
    return made


def usual_out(source: Input) -> str:
    """Return where results go if nobody says: a file beside a table, a folder beside a file of requests."""
    if source.path is None:
        return "answers.jsonl"
    name = source.path.name
    for packed in PACKED:
        name = name.removesuffix(packed)
    stem = name.rpartition(".")[0] or name
    end = source.reading.get("format") or name.rpartition(".")[2]
    return f"{stem}.answers.{end}" if source.is_table else f"{stem}-results/"


def is_folder(out: str) -> bool:
    """Tell whether results go to a folder with the three files, and not into one file."""
    return out.endswith(("/", "\\")) or Path(out).is_dir() or not Path(out).suffix


def check_out(source: Input, out: str) -> None:
    """Refuse a place that the results could not be written to, before anything is sent and paid for."""
    target = Path(out)
    if source.path is not None and target.exists() and target.samefile(source.path):
        raise UsageFault(f"{out} is the input itself. Name another file with --out.")
    if is_folder(out):
        parent = next(each for each in (target, *target.absolute().parents) if each.exists())
        if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
            raise UsageFault(f"{out} cannot be made in {parent}. Name another folder with --out.")
    elif source.is_table:
        from . import tables  # noqa: PLC0415 - only where there is a table

        tables.check_target(out, source.table())
    else:
        check_plain(target)


def check_plain(target: Path) -> None:
    """Refuse a file that result lines could not be written to."""
    if target.suffix not in PLAIN:
        raise UsageFault(f"The input holds requests, so --out must be a folder or end in .jsonl, not {target.suffix}.")
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise UsageFault(f"{target} cannot be written: {error.strerror}. Name another place with --out.") from error
