"""One batch, end to end: drop the input, watch, fetch the results, and tell how it went."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import BotoCoreError

from local.errors import NoBatchError
from local.run.disk_space import room, told_room
from local.run.records import Progress, find_batch, progress
from local.run.reporting import Display, closing
from local.run.results import fetch
from local.run.summary import inputs_fault
from local.stack.function_logs import save_logs
from local.stack.running import TENANT, Stack

_POLL_SECONDS = 0.5
_INTAKE_SECONDS = 60.0
_STRANDED_SECONDS = 15.0
_FULL = 1_000_000_000  # bytes free: what a large file needs next is more
T = TypeVar("T")


def run(stack: Stack, source: Path, out: Path) -> int:
    """Put `source` through the stack and its results into the folder `out`; return 0 for a completed batch, else 1.

    Raises:
        NoBatchError: nothing became of the input.
        ProcessEnded: a process of the stack ended by itself.

    """
    started = time.monotonic()
    try:
        last = _follow(stack, _dropped(stack, source))
    except NoBatchError:
        with suppress(OSError):  # a disk that is full takes no log either, and is told of already
            save_logs(stack)
        raise
    if last.status == "failed":
        _until(stack, lambda: _at_rest(stack, last.batch_id), _STRANDED_SECONDS)  # its report comes after its status
    fetched = fetch(stack, last.batch_id, out)
    closing(last, fetched, time.monotonic() - started)
    if last.status == "completed":
        return 0
    if not inputs_fault(last):
        print(f"What the functions logged: {save_logs(stack)}", file=sys.stderr)
        if room() < _FULL:
            print(told_room(), file=sys.stderr)
    return 1


def _dropped(stack: Stack, source: Path) -> str:
    """Upload the input to the inbox and return the id of the batch that the stack makes of it."""
    s3 = stack.clients.s3
    key = f"inbox/{TENANT}/{source.name}"
    try:
        s3.upload_file(str(source), stack.bucket, key)
    except (S3UploadFailedError, BotoCoreError) as error:
        stack.check()
        raise NoBatchError(
            f"The input could not be put into S3, which is on disk here. {told_room()} {error}"
        ) from error
    version_id = s3.head_object(Bucket=stack.bucket, Key=key)["VersionId"]
    print(f"Dropped {source} into s3://{stack.bucket}/{key}", file=sys.stderr, flush=True)
    table = stack.clients.table(stack.table)
    found = _until(stack, lambda: find_batch(table, TENANT, key, version_id), _INTAKE_SECONDS)
    if found is None:
        raise NoBatchError(
            f"No batch was made of the input within {_INTAKE_SECONDS:.0f} seconds. "
            f"What the functions logged: {stack.folder / 'functions.log'}"
        )
    return found


def _follow(stack: Stack, batch_id: str) -> Progress:
    """Show the batch's progress until it has ended, and return its last state."""
    table = stack.clients.table(stack.table)
    with Display(own_provider=stack.own is not None) as display:
        while True:
            now = progress(table, batch_id)
            display.show(now)
            if now.ended:
                return now
            if _stranded(stack, batch_id):
                return _recorded(stack, batch_id)
            stack.check()
            time.sleep(_POLL_SECONDS)


def _stranded(stack: Stack, batch_id: str) -> bool:
    """Tell whether the batch's execution has failed, in which case its record must soon say so."""
    return _execution(stack, batch_id) not in (None, "RUNNING", "SUCCEEDED")


def _at_rest(stack: Stack, batch_id: str) -> bool | None:
    """Answer True when nothing works on the batch any more, else None."""
    return None if _execution(stack, batch_id) == "RUNNING" else True


def _execution(stack: Stack, batch_id: str) -> str | None:
    machine = stack.outputs["StateMachineArn"]
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{batch_id}"
    states = stack.clients.stepfunctions
    try:
        return states.describe_execution(executionArn=arn)["status"]
    except states.exceptions.ExecutionDoesNotExist:
        return None  # the intake records a batch first and starts it then


def _recorded(stack: Stack, batch_id: str) -> Progress:
    """Return the last state of a batch whose execution has failed, as soon as it is recorded."""
    table = stack.clients.table(stack.table)

    def last() -> Progress | None:
        now = progress(table, batch_id)
        return now if now.ended else None

    ended = _until(stack, last, _STRANDED_SECONDS)
    if ended is None:
        raise NoBatchError(
            f"The execution of {batch_id} failed and left no record of why. "
            f"What the functions logged: {stack.folder / 'functions.log'}"
        )
    return ended


def _until(stack: Stack, ask: Callable[[], T | None], seconds: float) -> T | None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ask()
        if answer is not None:
            return answer
        stack.check()
        time.sleep(_POLL_SECONDS)
    return None
