"""Which kind of table a source is."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final, Literal

from . import arrow_files, arrow_table
from .delimited import TAB, DelimitedTable
from .errors import TableError
from .json_table import ArrayTable, LinesTable
from .packing import SUFFIXES
from .s3 import SCHEME, S3Object
from .sources import LocalFile, Source
from .table import RecordsTable, Table

Format = Literal["csv", "tsv", "parquet", "arrow", "jsonl", "json"]
#: Which format the end of a name tells.
FORMATS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}
ENDINGS: Final = ".csv, .tsv, .parquet, .arrow, .feather, .jsonl or .json, and .gz or .zst behind it"


def read(source: object, *, format: Format | None = None, encoding: str | None = None) -> Table:  # noqa: A002 - its name
    """Take a table as it is given: a path, an s3:// address, a data frame, or a list of dicts.

    `format` replaces what the end of the name tells, and `encoding` UTF-8, for text files.
    """
    if isinstance(source, str | os.PathLike):
        address = os.fspath(source)
        if not isinstance(address, str):
            raise TableError("A path is a text, not bytes")
        found = _OPENERS.get(format or format_of(address))
        if found is None:
            raise TableError(f"There is no format {format!r}. Take one of {', '.join(_OPENERS)}")
        return found(S3Object(address) if address.startswith(SCHEME) else LocalFile(address), encoding)
    if format or encoding:
        raise TableError("format and encoding are for files")
    return _of_values(source)


def format_of(name: str) -> Format:
    """Tell the format of a file by the end of its name."""
    path = PurePosixPath(name.lower())
    suffix = (path.with_suffix("") if path.suffix in SUFFIXES else path).suffix
    if suffix not in FORMATS:
        raise TableError(f"The end of {name!r} tells no format. Name the file {ENDINGS}, or name the format")
    return FORMATS[suffix]


def _of_values(data: Any) -> Table:  # noqa: ANN401 - anything
    if isinstance(data, Table):
        return data
    kind = f"{type(data).__module__.partition('.')[0]}.{type(data).__name__}"
    if kind == "pandas.DataFrame":
        return arrow_table.from_pandas(data)
    if all(hasattr(data, name) for name in ("with_format", "features", "iter")):
        if getattr(data, "features", None) is None:
            raise TableError("This dataset does not know its columns. Load it without streaming, or name its features")
        return arrow_table.DatasetTable(data)
    if kind == "polars.LazyFrame":
        data = data.collect()
    if hasattr(data, "__arrow_c_stream__"):
        return arrow_table.from_stream(data, "the data frame")
    if isinstance(data, Iterable) and not isinstance(data, Mapping | bytes):
        return RecordsTable(data if isinstance(data, list | tuple) else list(data))
    raise TableError(
        f"A {kind} is no table. Take a path, an s3:// address, a list of dicts, a data frame of pandas or Polars, a table of "
        "pyarrow, or a Dataset of Hugging Face"
    )


_OPENERS: Final[dict[str, Callable[[Source, str | None], Table]]] = {
    "csv": lambda source, encoding: DelimitedTable(source, delimiter=None, encoding=encoding),
    "tsv": lambda source, encoding: DelimitedTable(source, delimiter=TAB, encoding=encoding),
    "parquet": lambda source, encoding: _plain(arrow_files.ParquetTable, source, encoding),
    "arrow": lambda source, encoding: _plain(arrow_files.ArrowFileTable, source, encoding),
    "jsonl": lambda source, encoding: LinesTable(source, encoding=encoding),
    "json": lambda source, encoding: ArrayTable(source, encoding=encoding),
}


def _plain(kind: Callable[[Source], Table], source: Source, encoding: str | None) -> Table:
    if encoding:
        raise TableError(f"{source.name} is no text file: it has no encoding")
    return kind(source)
