"""The job of `importing`, in a module that itself imports nothing the measured ones would."""

import importlib
from collections.abc import Callable


def modules(*names: str) -> Callable[[], None]:
    """Prepare to import these modules."""

    def work() -> None:
        for name in names:
            importlib.import_module(name)

    return work
