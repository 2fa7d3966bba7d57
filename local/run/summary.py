"""Say how a batch ended: which lines failed and why, what was sent again, and whether the input alone is at fault."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local.run.records import Progress

NONE_SUCCEEDED = 3
_SHOWN_CODES = 5
_SHOWN_CHARACTERS = 200
_READ_CHARACTERS = 1_000_000  # of the first line of errors.jsonl, which may hold megabytes
_OURS = "server_error"
_SENTENCES = {
    "completed": "The batch is complete: every line has its outcome.",
    "failed": "The batch failed.",
    "cancelled": "The batch was cancelled; what was finished by then is kept.",
}


def closing_sentence(last: Progress) -> str:
    """Return the sentence that closes a run."""
    if last.dry_run and last.status == "completed":
        return "The dry run is complete: nothing was sent."
    if last.status == "completed" and last.failed and not last.completed:
        of_it = "its only line" if last.failed == 1 else f"all {last.failed:,} lines"
        return f"The batch is complete, but no line succeeded: {of_it} failed."
    return _SENTENCES[last.status]


def exit_status(last: Progress) -> int:
    """Return 0 if every line has its answer and some succeeded, 3 if none succeeded; 1 for a batch that is not complete."""
    if last.status != "completed" or (last.dry_run and last.errors):
        return 1
    return NONE_SUCCEEDED if last.failed and not last.completed else 0


def failed_by_input(last: Progress) -> bool:
    """Tell whether the input alone made the batch fail; then the logs of the functions say nothing more."""
    codes = {error["code"] for error in last.errors}
    return last.status == "failed" and not last.shards and bool(codes) and _OURS not in codes


def outcome_lines(results: Sequence[Path]) -> list[str]:
    """Return sentences on the results: failed lines by code with a sample, and what was sent again."""
    paths = {path.name: path for path in results}
    if "report.json" not in paths:
        return []
    report = json.loads(paths["report.json"].read_text(encoding="utf-8"))
    return [
        *_failed_lines(report, paths.get("errors.jsonl")),
        *_sent_again(report),
        *_ready_again(paths.get("retry.jsonl")),
    ]


def _ready_again(retry: Path | None) -> list[str]:
    if retry is None:
        return []
    again = f"make run INPUT={shlex.quote(str(retry))} OUT={shlex.quote(str(retry.parent.parent))}"
    return [f"{retry} holds the requests of the failed lines, ready to be sent again: {again}"]


def _failed_lines(report: Mapping[str, Any], errors: Path | None) -> list[str]:
    by_code = (report.get("errors") or {}).get("by_code") or {}
    if not by_code or errors is None:
        return []
    most = sorted(by_code.items(), key=lambda entry: -entry[1])
    told = ", ".join(f"{lines:,} {code}" for code, lines in most[:_SHOWN_CODES])
    more = sum(lines for _, lines in most[_SHOWN_CODES:])
    others = f", {more:,} with other codes" if more else ""
    return [f"Failed lines by code: {told}{others}; see {errors}.", f"  The first of them: {_sample(errors)}"]


def _sample(errors: Path) -> str:
    with errors.open(encoding="utf-8", errors="replace") as lines:
        message = _message(lines.readline(_READ_CHARACTERS).strip())
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in message).split())
    return plain if len(plain) <= _SHOWN_CHARACTERS else plain[: _SHOWN_CHARACTERS - 1] + "…"


def _message(line: str) -> str:
    """Return the message of an outcome; the line itself if the outcome has none or was cut."""
    try:
        outcome = json.loads(line)
    except (ValueError, RecursionError):
        return line
    for path in (("error",), ("response", "body", "error")):
        message = _at(outcome, (*path, "message"))
        if isinstance(message, str) and message:
            return message
    return line


def _at(value: object, path: Sequence[str]) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _sent_again(report: Mapping[str, Any]) -> list[str]:
    sent = [sum(bool(attempt.get("provider_batch_id")) for attempt in shard["attempts"]) for shard in _shards(report)]
    if max(sent, default=0) <= 1:
        return []
    shards = "1 shard" if len(sent) == 1 else f"{len(sent):,} shards"
    return [f"{sum(sent):,} provider batches for {shards}: what was unfinished was sent again."]


def _shards(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(report.get("shards") or [])
