"""The errors of tables, one class for each meaning.

TableError
├── UnreadableTable     the source is not what its name says, or is damaged
├── ChangedTable        the source is not what it was when it was first read
├── MissingPackage      a package that this kind of table needs is not installed
├── RecipeError         the recipe asks for what cannot be
│   └── MissingColumn   … for a column that the table has not
├── CellError           a cell cannot go into a request
│   └── NullCell        … because it is null or empty
├── ResultsMismatch     the results are not those of these rows
└── UnwritableTable     the rows and answers cannot be written as the target's name says
"""

from batchyard_client.errors import FrontError


class TableError(FrontError):
    """Say what is wrong with a table or with what was asked of it, and the remedy."""

    status = 2


class UnreadableTable(TableError):  # noqa: N818 - it names the state, as the errors of batch_client do
    """Report a source that cannot be read as what its name says."""


class ChangedTable(TableError):  # noqa: N818 - as above
    """Report a source that changed while it was in use: its rows would no longer fit the answers."""


class MissingPackage(TableError):  # noqa: N818 - as above
    """Report a package that is needed and not installed."""


class RecipeError(TableError):
    """Report a recipe that asks for what cannot be; nothing was read or sent."""


class MissingColumn(RecipeError):  # noqa: N818 - as above
    """Report a column that the table has not."""


class CellError(TableError):
    """Report a cell that cannot go into a request."""

    def __init__(self, message: str, *, row: int, column: str) -> None:
        super().__init__(message)
        #: The number of the row, from 1.
        self.row = row
        #: The name of the column.
        self.column = column


class NullCell(CellError):  # noqa: N818 - as above
    """Report a cell that is null or empty where the recipe needs one."""


class ResultsMismatch(TableError):  # noqa: N818 - as above
    """Report results that are not one for each row."""


class UnwritableTable(TableError):  # noqa: N818 - as above
    """Report rows and answers that the target's format cannot hold."""
