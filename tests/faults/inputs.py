"""Inputs with lines that are to be skipped, and what their user is to be told of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tests.fakes.lines import jsonl, request

if TYPE_CHECKING:
    from collections.abc import Sequence

PROMPT: Final = "the prompt nobody logs"


class SkippedLine(NamedTuple):
    """A line that is no request: its number in the input, as an editor counts, its error's code, and its custom_id."""

    number: int
    code: str
    custom_id: str | None


class Input(NamedTuple):
    """The bytes of an input, the number of each good line by its custom_id, and the lines that are to be skipped."""

    data: bytes
    numbers: dict[str, int]
    skipped: list[SkippedLine]


# What the bad lines are, and what each is told; "again" uses the custom_id of the good line before it.
BAD: Final = {
    "broken": (b'{"custom_id": "broken"\n', "invalid_json_line", None),
    "no body": (b'{"custom_id": "bare", "method": "POST", "url": "/v1/chat/completions"}\n',
                "missing_required_parameter", "bare"),
    "elsewhere": (jsonl([request("elsewhere", url="/v1/files")]), "invalid_url", "elsewhere"),
}  # fmt: skip
BLANK: Final = "blank"
AGAIN: Final = "again"
SORTS: Final = (*BAD, AGAIN, BLANK)


def written(custom_ids: list[str], models: Sequence[str], bad: dict[int, str]) -> Input:
    """Write an input whose requests take turns with these models; `bad` says what stands behind which of them."""
    rows: list[bytes] = []
    numbers: dict[str, int] = {}
    skipped: list[SkippedLine] = []
    for at, custom_id in enumerate(custom_ids):
        line = jsonl([request(custom_id, model=models[at % len(models)], prompt=PROMPT)])
        rows.append(line)
        numbers[custom_id] = len(rows)
        sort = bad.get(at)
        if sort == BLANK:
            rows.append(b"\n")
        elif sort is not None:
            row, code, known = BAD.get(sort, (line, "duplicate_custom_id", custom_id))
            rows.append(row)
            skipped.append(SkippedLine(len(rows), code, known))
    return Input(b"".join(rows), numbers, skipped)
