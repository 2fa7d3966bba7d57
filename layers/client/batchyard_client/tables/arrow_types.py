"""The types that columns have in Parquet and Arrow files."""

from collections.abc import Sequence
from typing import Any

import msgspec

from .arrow_table import ArrowBlock, ArrowTable
from .cells import JSON, cell_text
from .delimited import DelimitedTable
from .errors import UnwritableTable
from .packages import pyarrow
from .schema import Field
from .table import Block, Table


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
