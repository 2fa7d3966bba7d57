"""Packages that only some tables need: imported when first used, and named where they are missing."""

import importlib
from typing import Any, Final

from .errors import MissingPackage

INSTALL: Final = 'pip install "batchyard-client[tables]"'


def pyarrow(module: str = "") -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return pyarrow, or a module of it."""
    try:
        return importlib.import_module(f"pyarrow.{module}" if module else "pyarrow")
    except ImportError as error:
        raise MissingPackage(
            f"Parquet, Arrow and data frames need pyarrow, which is not installed ({error}). Install it: {INSTALL}"
        ) from error


def optional(name: str) -> Any | None:  # noqa: ANN401 - any module
    """Return a module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
