"""The front to Batchyard for people: one command, one Python call.

>>> import batchyard_client as by
>>> by.run                                           # doctest: +ELLIPSIS
<function run at 0x...>

`run` returns the answers, one for each row and in the order of the rows. `submit` returns a handle at once; `job` takes up
a batch by its id. Where the service is, options say, or BATCHYARD_URL and BATCHYARD_KEY, or `batchyard login`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

if TYPE_CHECKING:
    from .answers import Answer, AnswerError, Answers
    from .asked import Asked, Recipe
    from .handle import Job

__all__ = [
    "Answer",
    "AnswerError",
    "Answers",
    "FrontError",
    "Job",
    "Refused",
    "Stopped",
    "UsageFault",
    "job",
    "run",
    "submit",
]
_HOMES = {
    "Answer": "answers", "AnswerError": "answers", "Answers": "answers", "Job": "handle",
    "FrontError": "errors", "Refused": "errors", "Stopped": "errors", "UsageFault": "errors",
}  # fmt: skip


def run(source: object, **asked: Unpack[Asked]) -> Answers:
    """Send the rows or requests of a source, wait, and return the answers.

    A source is a path, an `s3://` address, a list of dicts, or a table of pandas, Polars, Arrow or Hugging Face. The same
    content with the same options is the same batch: nothing is paid twice, also if the program was killed.
    """
    return submit(source, **asked).results()


def submit(source: object, **asked: Unpack[Asked]) -> Job:
    """Send the rows or requests of a source, and return a handle of the batch at once."""
    from .asked import submitted  # noqa: PLC0415 - importing the package stays light

    return submitted(source, asked)


def job(batch_id: str, source: object = None, **asked: Unpack[Recipe]) -> Job:
    """Take up a batch by its id.

    A batch that was made of a file on this machine knows its rows; for any other, `source` and its recipe name them.
    """
    from .asked import taken_up  # noqa: PLC0415 - as above

    return taken_up(batch_id, source, asked)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever stands under the name
    from importlib import import_module  # noqa: PLC0415 - only for a name that is asked for

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
