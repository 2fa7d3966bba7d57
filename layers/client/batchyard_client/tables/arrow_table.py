"""Parquet, Arrow and data frames, by pyarrow: the types of the columns stay what they are."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final
from zoneinfo import ZoneInfo

from .errors import TableError, UnreadableTable
from .packages import pyarrow
from .table import BLOCK_BYTES, BLOCK_ROWS, Block, Table, hash_of_blocks, repeated

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the zone is that of the column
_UTC: Final = ZoneInfo("UTC")


class ArrowBlock(Block):
    """Rows of a record batch; a column becomes Python values when it is asked for."""

    def __init__(self, first: int, batch: Any) -> None:  # noqa: ANN401 - pyarrow has no types
        super().__init__(first, batch.num_rows, {})
        #: The rows as pyarrow has them.
        self.batch = batch

    def column(self, name: str) -> list[Any]:
        """Return the values of a column; None for null."""
        try:
            return python_values(self.batch.column(self.batch.schema.get_field_index(name)))
        except (pyarrow().ArrowException, ValueError) as error:
            raise UnreadableTable(f"The column {name!r} cannot be read: {error}") from error


class ArrowTable(Table):
    """Rows that pyarrow reads, a record batch at a time."""

    @cached_property
    def schema(self) -> Any:  # noqa: ANN401 - as above
        """Return the schema, in which each column has a name of its own."""
        with told(self.name):
            schema = self._schema()
        if twice := repeated(schema.names):
            raise UnreadableTable(f"{self.name} has columns of one name: {', '.join(map(repr, twice))}. Rename them")
        return schema

    @property
    def columns(self) -> tuple[str, ...]:
        """Name the columns of the schema."""
        return tuple(self.schema.names)

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[Block]:
        """Read the rows; of a file that stores columns only those that are named."""
        names = list(self.schema.names if columns is None else columns)
        first = 1
        with told(self.name):
            for batch in self._batches(names):
                for piece in _pieces(batch):
                    yield ArrowBlock(first, piece)
                    first += piece.num_rows

    def fingerprint(self) -> str:
        """Hash the types and values."""
        types = hashlib.sha256(str(self.schema.remove_metadata()).encode()).hexdigest()
        return f"{hash_of_blocks(self)}:{types}"

    @abstractmethod
    def _schema(self) -> Any: ...  # noqa: ANN401 - as above

    @abstractmethod
    def _batches(self, columns: list[str]) -> Iterator[Any]: ...


class FrameTable(ArrowTable):
    """A pyarrow.Table, or a data frame that became one."""

    def __init__(self, table: Any, name: str) -> None:  # noqa: ANN401 - as above
        self._table, self.name = table, name

    def _schema(self) -> Any:  # noqa: ANN401 - as above
        return self._table.schema

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        return iter(self._table.select(columns).to_batches(max_chunksize=BLOCK_ROWS))


class DatasetTable(ArrowTable):
    """A Dataset of Hugging Face, read some rows at a time as its own order says."""

    name = "the dataset"

    def __init__(self, dataset: Any) -> None:  # noqa: ANN401 - the package is no dependency
        self._dataset = dataset.with_format("arrow")

    def _schema(self) -> Any:  # noqa: ANN401 - as above
        return self._dataset.features.arrow_schema

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        for table in self._dataset.iter(batch_size=BLOCK_ROWS):
            yield from table.select(columns).combine_chunks().to_batches()


def from_stream(data: Any, name: str) -> FrameTable:  # noqa: ANN401 - whatever shows `__arrow_c_stream__`
    """Take what hands itself over as a stream of Arrow: Polars, DuckDB, a RecordBatchReader."""
    with told(name):
        table = pyarrow().table(data)
        columns = [_without_views(column) for column in table.columns]
        fields = [field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)]
        schema = pyarrow().schema(fields, metadata=table.schema.metadata)
        return FrameTable(pyarrow().table(columns, schema=schema), name)


def _without_views(column: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return a column with plain texts for views of texts, which Polars has and Parquet has not."""
    arrow, kind = pyarrow(), column.type
    if arrow.types.is_dictionary(kind) and (plain := _plain(kind.value_type)) != kind.value_type:
        chunks = [
            arrow.DictionaryArray.from_arrays(each.indices, each.dictionary.cast(plain), ordered=kind.ordered)
            for each in column.chunks
        ]
        return arrow.chunked_array(chunks, arrow.dictionary(kind.index_type, plain, ordered=kind.ordered))
    return column if _plain(kind) == kind else column.cast(_plain(kind))


def _plain(kind: Any) -> Any:  # noqa: ANN401 - as above
    arrow = pyarrow()
    views = {arrow.string_view(): arrow.large_string(), arrow.binary_view(): arrow.large_binary()}
    if kind in views:
        return views[kind]
    if arrow.types.is_struct(kind):
        return arrow.struct([field.with_type(_plain(field.type)) for field in kind])
    for is_list, made in ((arrow.types.is_list, arrow.list_), (arrow.types.is_large_list, arrow.large_list)):
        if is_list(kind):
            return made(kind.value_field.with_type(_plain(kind.value_type)))
    return kind


def from_pandas(frame: Any) -> FrameTable:  # noqa: ANN401 - pandas is no dependency
    """Take a frame of pandas; its index becomes columns where it has a name."""
    named = any(name is not None for name in frame.index.names)
    with told("the data frame"):
        return FrameTable(pyarrow().Table.from_pandas(frame, preserve_index=named), "the data frame")


@contextmanager
def told(name: str) -> Iterator[None]:
    """Tell errors of pyarrow in one sentence."""
    arrow = pyarrow()
    try:
        yield
    except TableError:
        raise
    except (arrow.ArrowException, OSError) as error:
        raise UnreadableTable(f"{name} cannot be read: {' '.join(str(error).split())}") from error


def _pieces(batch: Any) -> Iterator[Any]:  # noqa: ANN401 - pyarrow has no types
    """Cut a batch, so that little of it is Python values at a time; nothing is copied."""
    rows = batch.num_rows
    step = max(1, min(BLOCK_ROWS, rows * BLOCK_BYTES // max(1, batch.get_total_buffer_size())))
    for start in range(0, rows, step):
        yield batch.slice(start, step)


def python_values(column: Any) -> list[Any]:  # noqa: ANN401 - pyarrow has no types
    """Return the values of a column, the same whether pandas is installed or not."""
    if (finer := _of_nanoseconds(column.type)) is not None:
        whole = column.cast(pyarrow().int64())
        return [None if value is None else finer(value) for value in whole.to_pylist()]
    values: list[Any] = column.to_pylist()
    return values


def _of_nanoseconds(kind: Any) -> Callable[[int], object] | None:  # noqa: ANN401 - as above
    """Return what turns nanoseconds into a value, for types that Python has no type for."""
    types = pyarrow("types")
    if types.is_timestamp(kind) and kind.unit == "ns":
        zone = ZoneInfo(kind.tz) if kind.tz else None
        return lambda value: _moment(value, zone)
    if types.is_time64(kind) and kind.unit == "ns":
        return lambda value: _with_nanoseconds((_EPOCH + timedelta(microseconds=value // 1000)).time(), value)
    if types.is_duration(kind) and kind.unit == "ns":
        return lambda value: timedelta(microseconds=value // 1000) if value % 1000 == 0 else f"{value} ns"
    return None


def _moment(value: int, zone: ZoneInfo | None) -> object:
    moment = _EPOCH + timedelta(microseconds=value // 1000)
    return _with_nanoseconds(moment.replace(tzinfo=_UTC).astimezone(zone) if zone else moment, value)


def _with_nanoseconds(moment: Any, value: int) -> object:  # noqa: ANN401 - a datetime or a time
    """Return the moment, or its text where it has more digits than Python keeps."""
    if value % 1000 == 0:
        return moment
    text: str = moment.isoformat(timespec="microseconds")
    digits = text.index(".") + 7
    return f"{text[:digits]}{value % 1000:03d}{text[digits:]}"
