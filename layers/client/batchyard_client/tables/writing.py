"""Rows and their answers, joined and written: whole, in order, and under the target's name only when all is proved."""

import errno
import glob
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from batchyard_client.home import held, sweep_unfinished

from .answers import FACTS, Answer, Price, Reader
from .arrow_writers import ArrowWriter
from .errors import ResultsMismatch, TableError, UnwritableTable
from .packages import pyarrow
from .packing import check_packing, packed, packing_of
from .reading import Format, format_of
from .recipe import Recipe
from .requests import skips
from .results import Absent, Results
from .s3 import SCHEME, upload
from .schema import Field
from .table import Block, Table
from .template import check_columns
from .text_writers import DelimitedWriter, ObjectWriter

_SHOWN: Final = 40  # letters of a target's name that its unfinished file has
# Errors that only writing has.
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


@dataclass(kw_only=True)
class Summary:
    """What was written."""

    #: The file or the address.
    target: str
    #: The rows of the table, all of which were written.
    rows: int = 0
    #: Rows with an answer and no error; rows with an error; rows that were not asked.
    answered: int = 0
    failed: int = 0
    skipped: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    #: The sum of what is known; None if nothing is.
    cost_usd: float | None = None
    #: The names of the new columns.
    columns: tuple[str, ...] = ()

    def add(self, answer: Answer) -> None:
        """Count a row that was asked."""
        self.rows += 1
        self.failed += answer.error is not None
        self.answered += answer.error is None
        self.input_tokens += answer.input_tokens or 0
        self.output_tokens += answer.output_tokens or 0
        if answer.cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + answer.cost_usd

    def skip(self) -> None:
        """Count a row that was not asked."""
        self.rows += 1
        self.skipped += 1


class _Writer(Protocol):
    def write(self, block: Block, answers: Sequence[Sequence[Any]]) -> None: ...

    def end(self) -> None: ...

    def abandon(self) -> None: ...


def write(
    target: str | os.PathLike[str],
    table: Table,
    recipe: Recipe,
    results: Iterable[bytes],
    *,
    format: Format | None = None,  # noqa: A002 - its name in `read` too
    price: Price | None = None,
    absent: Absent = "refuse",
) -> Summary:
    """Write each row of a table with its answer; the target's name tells the format.

    Nothing stands under that name unless each row has exactly one result, and each result a row. With `absent="tell"` a row
    may have none, which its error says then.
    """
    check_columns(recipe.columns, table.columns, table.name)
    name = os.fspath(target)
    kind = format or format_of(name)
    _refuse_source(name, table)
    summary = Summary(target=name)
    reader = Reader(recipe, price)
    fields = fresh([*reader.fields, *FACTS], table.columns)
    summary.columns = tuple(field.name for field in fields)
    with _placed(name) as file, packed(file, packing_of(name)) as packer:
        writer = _writer(packer, table, fields, kind)
        try:
            for block, answers in joined(table, recipe, Results(results, absent), reader, summary):
                writer.write(block, [list(column) for column in zip(*(answer.row for answer in answers), strict=True)])
            writer.end()
        except BaseException:
            writer.abandon()
            raise
    return summary


def check_target(target: str | os.PathLike[str], table: Table, *, format: Format | None = None) -> None:  # noqa: A002 - as above
    """Refuse a target that `write` would refuse, before anything is sent and paid for."""
    name = os.fspath(target)
    if (format or format_of(name)) in ("parquet", "arrow"):
        pyarrow()
    check_packing(packing_of(name))
    _refuse_source(name, table)
    with _placed(name, keep=False):
        pass  # a file can be made there


def joined(
    table: Table, recipe: Recipe, results: Results, reader: Reader, summary: Summary
) -> Iterator[tuple[Block, list[Answer]]]:
    """Yield the rows with their answers, and count them; raise `ResultsMismatch` unless they are one for each."""
    for block in table.blocks():
        answers: list[Answer] = []
        for row, empty in enumerate(skips(table, recipe, block), block.first):
            if empty is not None:
                answers.append(reader.skipped(row, empty))
                summary.skip()
            else:
                answers.append(reader.read(results.of(row)))
                summary.add(answers[-1])
        yield block, answers
    results.end()
    if results.taken + results.absent + summary.skipped != summary.rows:
        raise ResultsMismatch(
            f"{results.taken} results are for {summary.rows} rows, of which {summary.skipped} were skipped"
        )


def fresh(fields: Iterable[Field], taken: Sequence[str]) -> list[Field]:
    """Name the new columns apart from those of the table and from each other: `answer_2` where `answer` is there."""
    names = set(taken)
    found = []
    for field in fields:
        free = (field.name if number == 1 else f"{field.name}_{number}" for number in range(1, len(names) + 2))
        name = next(each for each in free if each not in names)
        names.add(name)
        found.append(Field(name, field.kind, field.parts))
    return found


def _writer(file: IO[bytes], table: Table, fields: Sequence[Field], kind: str) -> _Writer:
    if kind in ("csv", "tsv"):
        return DelimitedWriter(file, table, fields, tabs=kind == "tsv")
    if kind in ("jsonl", "json"):
        return ObjectWriter(file, table, fields, array=kind == "json")
    return ArrowWriter(file, table, fields, kind)


def _refuse_source(name: str, table: Table) -> None:
    same = table.path is not None and Path(name).exists() and Path(name).samefile(table.path)
    if same or name == table.name:
        raise TableError(f"{name} is the table itself. Write the answers to another name")


@contextmanager
def _placed(name: str, *, keep: bool = True) -> Iterator[IO[bytes]]:
    """Give a file that gets its name when all went well, and is gone otherwise."""
    if Path(name).is_dir():
        raise UnwritableTable(f"{name} is a folder. Name a file in it")
    far = name.startswith(SCHEME)
    folder = Path(tempfile.gettempdir()) if far else Path(name).parent
    stem = f".{Path(name).name[:_SHOWN]}."
    with _told(name):
        temporary, file = _begun(folder, stem, far=far)
    try:
        with file:
            yield file
            with _told(name):
                file.flush()
                os.fsync(file.fileno())
            if sys.platform == "win32":
                file.close()  # no open file is renamed there; elsewhere the file stays in use until it has its name
            if keep and far:
                upload(temporary, name)
            elif keep:
                with _told(name):
                    _renamed(temporary, Path(name))
        if keep and not far:
            sweep_unfinished(folder, f"{glob.escape(stem)}{'[0-9a-f]' * 16}.part")
    except OSError as error:
        if error.errno not in _FULL:  # it is of what was read meanwhile, such as results that come from a service
            raise
        raise UnwritableTable(f"{name} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _begun(folder: Path, stem: str, *, far: bool) -> tuple[Path, IO[bytes]]:
    """Make an unfinished file that is marked as in use, so that no other process takes it for a left one."""
    while True:
        temporary = folder / f"{stem}{secrets.token_hex(8)}.part"
        file = open(temporary, "xb", opener=_private if far else None)  # noqa: SIM115 - the caller closes it
        if held(file, temporary):
            return temporary, file
        file.close()


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwritableTable(f"{name} cannot be written: {error.strerror or error}") from error


def _private(path: str, flags: int) -> int:
    """Open a file that nobody else may read: others may look into the folder of temporary files."""
    return os.open(path, flags, 0o600)


def _renamed(temporary: Path, target: Path) -> None:
    """Give the file its name, and the rights of the file that it replaces."""
    if target.exists():
        shutil.copymode(target, temporary)
    temporary.replace(target)
