"""Tables: rows become requests, and answers stand beside their rows again.

>>> table = read([{"text": "good"}, {"text": "bad"}])
>>> recipe = Recipe(model="gpt-4.1-mini", prompt="Sentiment of: {text}")
>>> next(requests(table, recipe))[:20]
b'{"custom_id":"row-1"'

`read` takes files, addresses in S3, data frames and lists; `write` writes files. `Summary` says what was written.
"""

from .answers import Answer, Price, Reader
from .errors import (
    CellError,
    ChangedTable,
    MissingColumn,
    MissingPackage,
    NullCell,
    RecipeError,
    ResultsMismatch,
    TableError,
    UnreadableTable,
    UnwritableTable,
)
from .reading import FORMATS, Format, format_of, read
from .recipe import Recipe
from .requests import requests
from .results import Absent, Results
from .table import Block, Table
from .writing import Summary, check_target, joined, write

__all__ = [
    "FORMATS",
    "Absent",
    "Answer",
    "Block",
    "CellError",
    "ChangedTable",
    "Format",
    "MissingColumn",
    "MissingPackage",
    "NullCell",
    "Price",
    "Reader",
    "Recipe",
    "RecipeError",
    "Results",
    "ResultsMismatch",
    "Summary",
    "Table",
    "TableError",
    "UnreadableTable",
    "UnwritableTable",
    "check_target",
    "format_of",
    "joined",
    "read",
    "requests",
    "write",
]
