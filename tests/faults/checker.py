"""Judge a batch by what is left of it: the results, the record and the provider's own books; nothing of ours is asked."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tests.faults.provider import FatesProvider

ATTEMPTS = 3
ENDED = {"completed", "failed", "cancelled"}
COLLECTED = {"whole", "partial"}


class Evidence(Protocol):
    """Where to look."""

    def found(self, key: str) -> bytes | None:
        """Return an object of the data bucket, None when there is none."""
        ...

    def record(self, batch_id: str) -> dict[str, Any]:
        """Return the record of a batch as plain values."""
        ...

    def held_tokens(self) -> dict[str, int]:
        """Return the reservations left in the token ledgers."""
        ...

    def events(self) -> list[str]:
        """Return the details of all events that were put on the bus."""
        ...

    def log(self) -> str:
        """Return all that was logged."""
        ...


@dataclass(frozen=True)
class Case:
    """A batch that has ended, what was in its input, and what must never be logged.

    `numbers` are the lines of its requests in the input, counted from 1, by custom_id and in order; `skipped` are its lines
    that are no requests, each with its number, its error's code and its custom_id. A shard that failed may have lines that
    were not tried often enough; only one that failed at every rest was `abandoned`, with answers that nobody brought in.
    """

    batch_id: str
    numbers: dict[str, int]
    secrets: tuple[str, ...]
    skipped: tuple[tuple[int, str, str | None], ...] = ()
    dry_run: bool = False
    shard_failed: bool = False
    abandoned: bool = False
    #: Of a retry: the lines whose errors it keeps.
    kept: frozenset[str] = frozenset()
    #: Of a retry: how many answers each line that it sends had before.
    answers_before: Counter[str] = field(default_factory=Counter)
    #: Of a batch that was retried: the lines that had an answer which could be read before the retry.
    readable: frozenset[str] | None = None


def wrongs(case: Case, evidence: Evidence, provider: FatesProvider) -> list[str]:
    """List every promise that was broken; an empty list is a pass."""
    record = evidence.record(case.batch_id)
    found = [*provider.wrongs]
    if record["status"] not in ENDED:
        return [*found, f"the batch hangs as {record['status']}"]
    output, errors = (_lines(evidence, record, name) for name in ("output.jsonl", "errors.jsonl"))
    if unread := [line for line in output + errors if not _is_strict(line)]:
        return [*found, *(f"{line[:80]!r} is not strict JSON" for line in unread)]
    if case.dry_run:
        found += _only_estimated(case, record, provider, output + errors)
    elif record["in_progress_at"] is not None:
        answered = [line for line in errors if not _is_aside(line)]
        found += _outcomes(case, output, answered)
        found += _reject_lines(case, errors)
        found += _counted(record, output, errors)
        found += _against_status(output, errors)
        found += _not_accepted(case, provider, answered)
        found += [] if case.abandoned else _untold(evidence, record, provider)
        stopped = record["status"] == "cancelled" or record["drain_reason"] or case.shard_failed
        if not stopped:
            found += _given_up(case, provider, answered)
    found += _paid(case, provider)
    sends_nothing = case.dry_run or record["in_progress_at"] is None
    found += [] if case.abandoned or sends_nothing else _thrown_away(case, provider, output)
    found += _invented(provider, output)
    found += [f"{batch.id} still runs as {batch.status}" for batch in provider.live()]
    found += [] if case.abandoned else [f"{file_id} is left at the provider" for file_id in provider.left()]
    found += [f"{held} tokens are still held for {attempt}" for attempt, held in evidence.held_tokens().items()]
    found += [f"the log holds {secret!r}" for secret in case.secrets if secret in evidence.log()]
    return found + _no_json(case, evidence, record)


def _no_json(case: Case, evidence: Evidence, record: dict[str, Any]) -> list[str]:
    """No record, event or report has a number that JSON does not have, or that no reader can hold."""
    report = evidence.found(f"results/{record['tenant']}/{case.batch_id}/report.json") or b"null"
    texts = {
        "the record": json.dumps(record),
        "its estimate": record["preflight"] or "null",
        "the report": report.decode(),
    }
    texts |= {f"event {at}": each for at, each in enumerate(evidence.events()) if case.batch_id in each}
    return [f"{where} has a number that is none" for where, text in texts.items() if not is_strict_json(text)]


def is_strict_json(text: str) -> bool:
    """Tell whether a text is JSON, without NaN and Infinity and without numbers that become one."""
    try:
        json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except ValueError:
        return False
    return True


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _lines(evidence: Evidence, record: dict[str, Any], name: str) -> list[bytes]:
    data = evidence.found(f"results/{record['tenant']}/{record['batch_id']}/{name}")
    return data.splitlines(keepends=True) if data else []


def _outcomes(case: Case, output: list[bytes], errors: list[bytes]) -> list[str]:
    """Every line once, each result in the order of the input."""
    place = case.numbers
    results = [[json.loads(line)["custom_id"] for line in result] for result in (output, errors)]
    count = Counter(results[0] + results[1])
    found = [f"{each} has {count[each]} outcomes" for each in case.numbers if count[each] != 1]
    found += [f"{each} is nobody's" for each in count if each not in place]
    for name, result in zip(("output", "errors"), results, strict=True):
        places = [place.get(each, -1) for each in result]
        found += [f"{name} is out of order"] if places != sorted(places) else []
    return found


def _is_aside(line: bytes) -> bool:
    """Tell a line of errors.jsonl that is about a line that was no request: it names that line."""
    return "line" in (json.loads(line)["error"] or {})


def _reject_lines(case: Case, errors: list[bytes]) -> list[str]:
    """Every line that is no request stands among the errors once, at its place, with its code."""
    shown = [json.loads(line) for line in errors]
    told = [
        (each["error"]["line"], each["error"]["code"], each["custom_id"])
        for line, each in zip(errors, shown, strict=True)
        if _is_aside(line)
    ]
    found = [] if told == list(case.skipped) else [f"skipped are {told} instead of {list(case.skipped)}"]
    places = [
        each["error"]["line"] if _is_aside(line) else case.numbers.get(each["custom_id"], -1)
        for line, each in zip(errors, shown, strict=True)
    ]
    return [*found, *(["the lines skipped are out of order"] if places != sorted(places) else [])]


def _only_estimated(case: Case, record: dict[str, Any], provider: FatesProvider, results: list[bytes]) -> list[str]:
    """A dry run sends nothing, has no results, and tells how many lines it read."""
    made = [batch for batch in provider.batches.values() if batch.metadata["batchyard_batch"] == case.batch_id]
    found = [f"{batch.id} is of a dry run" for batch in made]
    found += ["a dry run has results"] if results else []
    if record["status"] != "completed":
        return found
    counts, lines = record["counts"], len(case.numbers) + len(case.skipped)
    if (counts["total"], counts["completed"], counts["failed"]) != (lines, 0, 0):
        found.append(f"a dry run of {lines} lines counts {counts}")
    if json.loads(record["preflight"])["lines"] != lines:
        found.append(f"a dry run of {lines} lines found {record['preflight']}")
    return found


def _counted(record: dict[str, Any], output: list[bytes], errors: list[bytes]) -> list[str]:
    counts = record["counts"]
    unrun = sum(b'"batch_cancelled"' in line for line in errors)
    told = counts["total"], counts["completed"], counts["failed"]
    there = len(output) + len(errors), len(output), len(errors) - unrun
    return [] if told == there else [f"the record counts {counts}, the results differ"]


def _is_strict(line: bytes) -> bool:
    """Tell whether a line of a result is UTF-8 and JSON, however strictly it is read."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        text = line.decode()
        json.dumps(json.loads(text, parse_constant=refuse), ensure_ascii=False).encode()
    except ValueError:
        return False
    return text.endswith("\n")


def _against_status(output: list[bytes], errors: list[bytes]) -> list[str]:
    """Where a line has a status, it decides in which result the line stands, unless its answer is not accepted."""
    found = []
    for name, result in (("output", output), ("errors", errors)):
        for each in map(json.loads, result):
            status = (each.get("response") or {}).get("status_code") or 0
            if (200 <= status < 300) is not (name == "output") and not _is_unfit(each):
                found.append(f"{each['custom_id']} with status {status} stands in {name}")
    return found


def _is_unfit(shown: dict[str, Any]) -> bool:
    return (shown["error"] or {}).get("code") == "answer_not_accepted"


def _not_accepted(case: Case, provider: FatesProvider, errors: list[bytes]) -> list[str]:
    """An answer that is not accepted is kept as it came, and is one that its user does not accept; others never count so."""
    found = []
    for each in filter(_is_unfit, map(json.loads, errors)):
        body = {name: told for name, told in each["response"]["body"].items() if name != "service_tier"}
        if body not in provider.unfit.get(each["custom_id"], []):
            found.append(f"the answer to {each['custom_id']} that is not accepted is none of the provider's")
    tried = {each: provider.sent[each] + provider.asked[each] for each in case.numbers if each in provider.unfit}
    return found + [f"{each} was tried {count} times" for each, count in tried.items() if count < 1]


def _untold(evidence: Evidence, record: dict[str, Any], provider: FatesProvider) -> list[str]:
    """The report tells what was mended, what was empty, and what was counted and never came."""
    report = json.loads(evidence.found(f"results/{record['tenant']}/{record['batch_id']}/report.json") or b"{}")
    attempts = [each for shard in report.get("shards", []) for each in shard["attempts"]]
    found, lost = [], 0
    for each in attempts:
        made = provider.made.get(each["provider_batch_id"] or "")
        if made is None or each["end"] not in COLLECTED or each["ended_at"] is None:
            continue
        told = each["mended"], each["empty"]
        if told != (made.mangled, made.empty):
            found.append(f"{each['provider_batch_id']} has {made.mangled} mangled, {made.empty} empty, told are {told}")
        least = 0 if made.fate.no_counts else max(0, made.counted - made.came)
        most = max(0, max(made.shown, made.counted) - made.came)
        if not least <= each["never_came"] <= most:
            found.append(
                f"of {least} to {most} that never came of {each['provider_batch_id']}, told are {each['never_came']}"
            )
        lost += each["never_came"]
    told_in_all = report.get("answers", {}).get("never_came", 0)
    return found if told_in_all >= lost else [*found, f"{told_in_all} never came in all, of attempts {lost}"]


def _paid(case: Case, provider: FatesProvider) -> list[str]:
    """No line whose answer could be read was run again, nor any that was sent on its own."""
    answers = {each: len(provider.readable.get(each, [])) + provider.direct[each] for each in case.numbers}
    most = {each: 1 + provider.answered_before[each] for each in case.numbers}
    return [f"{each} was answered {count} times" for each, count in answers.items() if count > most[each]]


def _thrown_away(case: Case, provider: FatesProvider, output: list[bytes]) -> list[str]:
    """Every answer that could be read is in the result."""
    kept = {json.loads(line)["custom_id"] for line in output}
    readable = answered(case, provider) if case.readable is None else case.readable
    return [f"the answer to {each} was thrown away" for each in readable if each not in kept]


def answered(case: Case, provider: FatesProvider) -> frozenset[str]:
    """Name the lines of a batch that have an answer which can be read: of a line that a retry sends, one of its own."""
    answers = {each: len(provider.readable.get(each, [])) for each in case.numbers}
    return frozenset(each for each, count in answers.items() if count > case.answers_before[each])


def _given_up(case: Case, provider: FatesProvider, errors: list[bytes]) -> list[str]:
    """A line is an error only if the provider refused it, it was tried as often as the settings say, or nobody knows."""
    unknown = {json.loads(line)["custom_id"] for line in errors if b'"outcome_unknown"' in line}
    return [
        f"{each} was given up after {provider.sent[each]} attempts"
        for each in (json.loads(line)["custom_id"] for line in errors)
        if each not in provider.refused | case.kept
        and provider.sent[each] + _alone(provider, each) < ATTEMPTS
        and not (each in unknown and provider.asked[each] <= 1 + provider.again[each])
    ]


def _alone(provider: FatesProvider, custom_id: str) -> int:
    """Count the tries in which a line was sent on its own, and had an answer that is not accepted."""
    return sum(body.get("from") == "direct" or not body for body in provider.unfit.get(custom_id, []))


def _invented(provider: FatesProvider, output: list[bytes]) -> list[str]:
    known = {line for lines in provider.readable.values() for line in lines}
    by_batch = [line for line in output if not provider.direct[json.loads(line)["custom_id"]]]
    return [f"the provider never wrote {line[:80]!r}" for line in by_batch if line not in known]
