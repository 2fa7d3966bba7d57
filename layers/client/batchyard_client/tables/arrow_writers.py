"""Rows and answers as Parquet and Arrow files, and the types that their columns have there."""

from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, Final, Protocol

import msgspec

from .arrow_table import ArrowBlock, ArrowTable
from .cells import JSON, Written, cell_text
from .delimited import DelimitedTable
from .errors import UnwritableTable
from .packages import pyarrow
from .schema import Field
from .table import Block, Table

_GROUP_BYTES: Final = 32_000_000
_GROUP_ROWS: Final = 1_000_000


class _File(Protocol):
    def write_table(self, table: Any) -> None: ...  # noqa: ANN401 - pyarrow has no types

    def close(self) -> None: ...


class ArrowWriter:
    """Writes record batches, gathered to groups of a useful size."""

    def __init__(self, file: IO[bytes], table: Table, fields: Sequence[Field], format_: str) -> None:
        arrow = pyarrow()
        self._columns, self._fields = Columns(table), fields
        new = [arrow.field(field.name, field_type(field)) for field in fields]
        schema = self._columns.schema
        self._schema = arrow.schema([*schema, *new], metadata=schema.metadata)
        self._types = [field.type for field in new]
        self._held: list[Any] = []
        self._bytes = self._rows = 0
        self._dictionaries = _Dictionaries(self._schema) if format_ == "arrow" else None
        with _Told():
            self._file = _opened(file, self._schema, format_)

    def write(self, block: Block, answers: Sequence[Sequence[Any]]) -> None:
        """Write rows and the values of the new columns."""
        arrow = pyarrow()
        with _Told():
            new = [field_values(*each) for each in zip(self._fields, answers, strict=True)]
            batch = arrow.RecordBatch.from_arrays([*self._columns.of(block), *new], schema=self._schema)
            self._held.append(self._dictionaries.unified(batch) if self._dictionaries else batch)
            self._rows += batch.num_rows
            self._bytes += batch.nbytes
            if self._bytes >= _GROUP_BYTES or self._rows >= _GROUP_ROWS:
                self._flush()

    def end(self) -> None:
        """Write what is held, and the end of the file."""
        with _Told():
            self._flush()
            self._file.close()

    def abandon(self) -> None:
        """Let go of a file that will not be kept; pyarrow would write to it later otherwise."""
        with suppress(pyarrow().ArrowException, OSError, ValueError):  # what went wrong before is told
            self._file.close()

    def _flush(self) -> None:
        if self._held:
            self._file.write_table(pyarrow().Table.from_batches(self._held, schema=self._schema))
        self._held.clear()
        self._bytes = self._rows = 0


def _opened(file: IO[bytes], schema: Any, format_: str) -> _File:  # noqa: ANN401 - pyarrow has no types
    if format_ == "parquet":
        found: _File = pyarrow("parquet").ParquetWriter(file, schema)
        return found
    ipc = pyarrow("ipc")
    opened: _File = ipc.new_file(file, schema, options=ipc.IpcWriteOptions(emit_dictionary_deltas=True))
    return opened


class _Told:
    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, pyarrow().ArrowException):
            raise UnwritableTable(f"The rows cannot be written: {' '.join(str(error).split())}") from error


class _Dictionaries:
    """One growing dictionary for each column that has one: a file of Arrow takes no other in its place."""

    def __init__(self, schema: Any) -> None:  # noqa: ANN401 - pyarrow has no types
        types = pyarrow("types")
        self._values: dict[int, Any] = {
            place: pyarrow().array([], type=field.type.value_type)
            for place, field in enumerate(schema)
            if types.is_dictionary(field.type)
        }

    def unified(self, batch: Any) -> Any:  # noqa: ANN401 - as above
        """Return the batch with the values of its dictionaries at their places in the growing ones."""
        for place in self._values:
            field = batch.schema.field(place)
            batch = batch.set_column(place, field, self._column(place, batch.column(place), field.type))
        return batch

    def _column(self, place: int, column: Any, kind: Any) -> Any:  # noqa: ANN401 - as above
        arrow, compute = pyarrow(), pyarrow("compute")
        own = column.dictionary
        known = compute.index_in(own, value_set=self._values[place])
        fresh = compute.unique(own.filter(known.is_null()))
        if len(fresh):
            self._values[place] = arrow.concat_arrays([self._values[place], fresh])
            known = compute.index_in(own, value_set=self._values[place])
        indices = known.take(column.indices).cast(kind.index_type)
        return arrow.DictionaryArray.from_arrays(indices, self._values[place], ordered=kind.ordered)


def field_type(field: Field) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return the type of a new column; vectors have numbers of 32 bits, as models do."""
    arrow = pyarrow()
    if field.kind == "vector":
        return arrow.list_(arrow.float32())
    if field.kind == "list":
        return arrow.list_(field_type(field.parts[0]))
    if field.kind == "object":
        return arrow.struct([arrow.field(part.name, field_type(part)) for part in field.parts])
    plain = {"integer": arrow.int64, "number": arrow.float64, "boolean": arrow.bool_}
    return plain.get(field.kind, arrow.string)()


def field_values(field: Field, values: Sequence[Any]) -> Any:  # noqa: ANN401 - as above
    """Return the values of a new column."""
    return pyarrow().array([_prepared(field, value) for value in values], type=field_type(field))


def _prepared(field: Field, value: Any) -> Any:  # noqa: ANN401 - a value of JSON
    """Write as text what has no type of its own."""
    if value is None:
        return None
    if field.kind == "json":
        return JSON.encode(value).decode()
    if field.kind == "list":
        if field.parts[0].kind == "number":
            return value
        return [_prepared(field.parts[0], each) for each in value]
    if field.kind == "object":
        return {part.name: _prepared(part, value.get(part.name)) for part in field.parts}
    return float(value) if field.kind == "number" else value


class Columns:
    """The columns of a table as they are written: with their own types, or those that fit all their values."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.schema = _schema(table)

    def of(self, block: Block) -> list[Any]:
        """Return the columns of a block."""
        if isinstance(block, ArrowBlock):
            return list(block.batch.columns)
        return [_array(block.column(each.name), each.type) for each in self.schema]


def _schema(table: Table) -> Any:  # noqa: ANN401 - pyarrow has no types
    arrow = pyarrow()
    if isinstance(table, ArrowTable):
        return table.schema
    if isinstance(table, DelimitedTable):
        return arrow.schema([(name, arrow.string()) for name in table.columns])
    return arrow.schema(_inferred(table))


def _inferred(table: Table) -> list[tuple[str, Any]]:
    """Read all rows for types that hold every value; a column of several kinds becomes text."""
    arrow = pyarrow()
    found: dict[str, Any] = dict.fromkeys(table.columns, arrow.null())
    for block in table.blocks():
        for name, kind in found.items():
            found[name] = _unified(kind, _type_of(block.column(name)))
    return [
        (name, arrow.string() if kind is None or arrow.types.is_null(kind) else kind) for name, kind in found.items()
    ]


def _type_of(values: list[Any]) -> Any:  # noqa: ANN401 - a type of pyarrow, or None for several kinds
    arrow = pyarrow()
    if any(type(value) is Written and not value.whole for value in values):
        return None
    try:
        return arrow.array(values).type
    except (arrow.ArrowException, TypeError, ValueError, OverflowError):
        return None


def _unified(one: Any, other: Any) -> Any:  # noqa: ANN401 - as above
    if one is None or other is None or one == other:
        return one if one == other else None
    arrow = pyarrow()
    schemas = [arrow.schema([("column", kind)]) for kind in (one, other)]
    try:
        return arrow.unify_schemas(schemas, promote_options="permissive").field(0).type
    except arrow.ArrowException:
        return None


def _array(values: list[Any], kind: Any) -> Any:  # noqa: ANN401 - as above
    arrow = pyarrow()
    if arrow.types.is_string(kind):
        values = [value if value is None or type(value) is str else cell_text(value) for value in values]
    try:
        return arrow.array(values, type=kind)
    except (arrow.ArrowException, TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise UnwritableTable(f"A column cannot be written as {kind}: {error}") from error
