"""Answer the lines of a running batch, and make its files, its counts, its usage and its ledger."""

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from local.emulator import lines, messages, together
from local.emulator.answering import Answer
from local.emulator.batches import Batch, Usage
from local.emulator.faults import LineFault
from local.emulator.lines import InputLine
from local.emulator.mistral import shapes
from local.emulator.outcomes import OutcomeSpool
from local.emulator.prompts import MESSAGES
from local.emulator.scenario import NO_LINE_FAULT
from local.emulator.spoilt import spoil
from local.emulator.state import State

_UNFINISHED = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was not executed because the batch was cancelled."),
}


class Results:
    """Hold the outcomes of one batch on disk until they are published."""

    def __init__(self, state: State, batch: Batch) -> None:
        self._state = state
        self._batch = batch
        self._director = state.director
        self._answerer = state.answerer(state.scenario)
        self._usage = Usage()
        self._output = OutcomeSpool(state.directory / f"output-{batch.ordinal}")
        self._errors = OutcomeSpool(state.directory / f"errors-{batch.ordinal}")
        self._shape = {together.NAME: together.line, shapes.NAME: shapes.line}.get(batch.request.service)
        self._billed = batch.ledger_path.open("wb", buffering=0)  # a test may read the file at any time

    def collect(self, requests: Iterator[InputLine]) -> None:
        """Answer and count every line."""
        for line, fault, answer in self._answerer.each(self._answer, requests):
            self._count(line, answer)
            self._keep(line, fault, answer)

    def fail_rest(self, rest: Iterator[InputLine], end: str) -> None:
        """Give each line that did not run the error of the batch's end, where the service writes such lines."""
        for line in rest if self._shape is None else ():
            self._errors.append(lines.unanswered(self._batch.id, line, *_UNFINISHED[end]))

    def publish(self, end: str) -> None:
        """Make the output and error files, show their ids, and end the batch."""
        batch, fault = self._batch, self._batch.fault
        absent = "" if fault.empty_file_ids else None
        lost = fault.loses_answers and end in _UNFINISHED
        output = absent if fault.no_output_file or lost else self._file(self._output, "output") or absent
        errors = absent if lost else self._file(self._errors, "error") or absent
        with batch.lock:
            batch.output_file_id, batch.error_file_id = output, errors
            batch.usage = self._usage
            batch.enter(end, self._state.clock.seconds())

    def remove(self) -> None:
        """Delete what only a running batch needs."""
        self._output.remove()
        self._errors.remove()
        self._billed.close()

    def _answer(self, line: InputLine) -> tuple[InputLine, LineFault, Answer]:
        fault = NO_LINE_FAULT
        if self._director.orders_lines:
            fault = self._director.for_line(self._batch.fault, line.custom_id, line.number)
        endpoint = self._batch.request.endpoint
        ordered = _ordered_answer(fault, endpoint)
        if ordered is None:
            ordered = self._answerer.ask(endpoint, line, self._state.clock.seconds())
            if fault.says is not None and ordered.succeeded:
                ordered = replace(ordered, body=spoil(ordered.body, fault.says))
        return line, fault, ordered

    def _count(self, line: InputLine, answer: Answer) -> None:
        if not answer.succeeded:
            self._batch.failed += 1
            return
        self._batch.completed += 1
        self._usage.add(answer.body.get("usage"))
        self._billed.write(msgspec.json.encode(line.custom_id) + b"\n")

    def _keep(self, line: InputLine, fault: LineFault, answer: Answer) -> None:
        spool = self._output if answer.succeeded else self._errors
        if not fault.missing:
            spool.append(self._written(line, fault, answer))
        if fault.duplicate:
            spool.append(self._written(line, fault, answer))
        if fault.unknown_custom_id:
            spool.append(lines.stray(self._batch.id, line))

    def _written(self, line: InputLine, fault: LineFault, answer: Answer) -> bytes:
        batch_id = self._batch.id
        if fault.bare:
            return lines.bare(batch_id, line)
        if answer.error is not None and not answer.status:
            return self._shaped(lines.unanswered(batch_id, line, *answer.error))
        whole = self._shaped(lines.answered(batch_id, line, answer.status, answer.body, answer.error))
        if fault.nameless:
            return msgspec.json.encode({**msgspec.json.decode(whole), "custom_id": None}) + b"\n"
        if fault.garbled:
            return whole.removesuffix(b"}\n") + b',"garbled":"\xff"}\n'
        return whole[: len(whole) // 2] + b"\n" if fault.malformed else whole

    def _shaped(self, whole: bytes) -> bytes:
        return self._shape(whole) if self._shape else whole

    def _file(self, spool: OutcomeSpool, sort: str) -> str | None:
        if not len(spool):
            return None
        batch = self._batch
        unfinished = self._state.directory / f"{sort}-{batch.id}"
        spool.write_shuffled(unfinished, f"{self._state.scenario.seed}/{batch.ordinal}/{sort}")
        name = f"{batch.id}_{sort}.jsonl"
        return self._state.files.add(unfinished, name, "batch_output", batch.request.output_lifetime).id


def _ordered_answer(fault: LineFault, endpoint: str) -> Answer | None:
    """Return the answer that a scenario orders in place of the real one; None if it orders none."""
    if fault.error is not None:
        return Answer(
            fault.status or 0,
            fault.body or {},
            (fault.error, fault.message or f"This request ended with {fault.error}."),
        )
    if fault.status is None:
        return None if fault.body is None else Answer(200, fault.body)
    if fault.body is not None or fault.status == 0:
        return Answer(fault.status, fault.body or {})
    return _refused(fault, fault.status, endpoint)


def _refused(fault: LineFault, status: int, endpoint: str) -> Answer:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    message = fault.message or f"This request was answered {status} on order."
    if endpoint == MESSAGES:
        return Answer(status, messages.refused(status, message, fault.code))
    return Answer(status, {"error": {"message": message, "type": kind, "param": None, "code": fault.code}})
