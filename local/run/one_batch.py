"""Run one batch: drop the input into the inbox, show the progress, fetch the results, and say how the batch went."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import BotoCoreError

from local.errors import NoBatchError
from local.run.disk_space import GrowingResults, check_stack, free_bytes, free_sentence
from local.run.finish import finish
from local.run.money import Money, estimate_lines
from local.run.records import Progress, find_batch, read_progress
from local.run.reporting import Display
from local.run.summary import exit_status, failed_by_input
from local.stack.function_logs import save_logs
from local.stack.running import TENANT, Stack
from local.stack.up import same_command

_POLL_SECONDS = 0.5
_INTAKE_SECONDS = 60.0
_STRANDED_SECONDS = 15.0
_FULL = 1_000_000_000  # with fewer free bytes a large file cannot go on
T = TypeVar("T")


def run_batch(stack: Stack, source: Path, out: Path, say: Callable[[str], None], money: Money) -> int:
    """Run the file `source`, and put the results into the folder `out`; return the exit status of `exit_status`.

    With a provider of the user's own, the estimate is told before anything is sent.

    Raises:
        NoBatchError: the input became no batch.
        ProcessEnded: a process of the stack ended by itself.
        DiskFullError: the disk that the stack works on is full.
        ResultsError: the results can be written nowhere.

    """
    started = time.monotonic()
    try:
        if stack.own and not money.dry_run:
            _tell_estimate(stack, source, out, say)
        batch_id = _drop_input(stack, source, money, say)
        say(f"With a stack that stays up, as by make up, the same is: {same_command(source, out)}")
        last = _follow(stack, batch_id, out, say, started)
    except NoBatchError:
        with suppress(OSError):  # a full disk takes no log, and the error says already that the disk is full
            save_logs(stack)
        raise
    if last.status == "failed":
        # the report is written after the status
        _await_answer(stack, lambda: _is_at_rest(stack, last.batch_id), _STRANDED_SECONDS)
    in_out = finish(stack, last, out, say, time.monotonic() - started)
    if last.status != "completed" and not failed_by_input(last):
        with suppress(OSError):  # the next sentence says how full the disk is
            say(f"What the functions logged: {save_logs(stack)}")
        if free_bytes() < _FULL:
            say(free_sentence())
    return exit_status(last) if in_out else 1


def _tell_estimate(stack: Stack, source: Path, out: Path, say: Callable[[str], None]) -> None:
    """Make a dry run of the input, and say what it has found; a fault of the input is told by the run itself."""
    say("Estimating; nothing is sent yet …")
    last = _follow(stack, _drop_input(stack, source, Money(dry_run=True), say), out, say, time.monotonic())
    for line in estimate_lines(last.preflight) if last.preflight else ():
        say(line)
    s3, key = stack.clients.s3, last.source.removeprefix(f"s3://{stack.bucket}/")
    version_id = s3.head_object(Bucket=stack.bucket, Key=key)["VersionId"]
    s3.delete_object(Bucket=stack.bucket, Key=key, VersionId=version_id)  # else the input is on the disk twice


def _drop_input(stack: Stack, source: Path, money: Money, say: Callable[[str], None]) -> str:
    """Upload the input to the inbox, and return the id of the batch that the stack makes of the input."""
    s3 = stack.clients.s3
    key = f"inbox/{TENANT}/{source.name}"
    try:
        s3.upload_file(str(source), stack.bucket, key, ExtraArgs={"Metadata": money.metadata})
    except (S3UploadFailedError, BotoCoreError) as error:
        stack.check()
        raise NoBatchError(
            f"The input could not be put into S3, which is on disk here. {free_sentence()} {error}"
        ) from error
    version_id = s3.head_object(Bucket=stack.bucket, Key=key)["VersionId"]
    say(f"Dropped {source} into s3://{stack.bucket}/{key}")
    table = stack.clients.table(stack.table)
    found = _await_answer(stack, lambda: find_batch(table, TENANT, key, version_id), _INTAKE_SECONDS)
    if found is None:
        raise NoBatchError(
            f"No batch was made of the input within {_INTAKE_SECONDS:.0f} seconds. "
            f"What the functions logged: {stack.folder / 'functions.log'}"
        )
    return found


def _follow(stack: Stack, batch_id: str, out: Path, say: Callable[[str], None], started: float) -> Progress:
    """Show the progress of the batch until its end, and return its last state."""
    table, growing = stack.clients.table(stack.table), GrowingResults(stack, batch_id, out, say)
    with Display(own_provider=stack.own is not None, started=started) as display:
        while True:
            now = read_progress(table, batch_id)
            display.show(now)
            if now.ended:
                return now
            if _execution_failed(stack, batch_id):
                return _await_record(stack, batch_id)
            check_stack(stack)
            growing.look()
            time.sleep(_POLL_SECONDS)


def _execution_failed(stack: Stack, batch_id: str) -> bool:
    """Tell whether the execution of the batch has failed; the record of the batch must say so soon."""
    return _execution(stack, batch_id) not in (None, "RUNNING", "SUCCEEDED")


def _is_at_rest(stack: Stack, batch_id: str) -> bool | None:
    """Return True if no execution works on the batch any more, else None."""
    return None if _execution(stack, batch_id) == "RUNNING" else True


def _execution(stack: Stack, batch_id: str) -> str | None:
    machine = stack.outputs["StateMachineArn"]
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{batch_id}"
    states = stack.clients.stepfunctions
    try:
        return states.describe_execution(executionArn=arn)["status"]
    except states.exceptions.ExecutionDoesNotExist:
        return None  # intake records a batch before it starts the execution


def _await_record(stack: Stack, batch_id: str) -> Progress:
    """Wait for the record of a failed execution, and return the last state of its batch."""
    table = stack.clients.table(stack.table)

    def last() -> Progress | None:
        now = read_progress(table, batch_id)
        return now if now.ended else None

    ended = _await_answer(stack, last, _STRANDED_SECONDS)
    if ended is None:
        raise NoBatchError(
            f"The execution of {batch_id} failed and left no record of why. "
            f"What the functions logged: {stack.folder / 'functions.log'}"
        )
    return ended


def _await_answer(stack: Stack, ask: Callable[[], T | None], seconds: float) -> T | None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ask()
        if answer is not None:
            return answer
        check_stack(stack)
        time.sleep(_POLL_SECONDS)
    return None
