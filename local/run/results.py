"""Put the results of a run into the user's folder: all of them or none, and never mixed with those of another run."""

import errno
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from local import ROOT
from local.errors import ResultsError
from local.run.out_folder import RESULTS, keep, publish
from local.run.retry import write_retry
from local.stack.running import TENANT, Stack

#: Where results are kept that the user's folder does not take.
KEPT = ROOT / ".cache" / "results"


@dataclass(frozen=True)
class Fetched:
    """The results of a batch on this machine."""

    #: Their paths.
    paths: list[Path]
    #: Why they are not where the user wants them, and how they get there; None if they are there.
    trouble: str | None = None


def fetch_results(stack: Stack, batch_id: str, out: Path, say: Callable[[str], None]) -> Fetched:
    """Download the results of the batch into a folder of its own in `out`, or below `.cache` if `out` does not take them.

    Raises:
        ResultsError: the results can be written nowhere, or the stack does not give them.

    """
    try:
        with _downloaded(stack, batch_id, out, say) as incoming:
            return Fetched(publish(incoming, out, say) if incoming else [])
    except OSError as error:
        why = f"The results could not be written to {out}: {error.strerror or error}."
    try:
        KEPT.mkdir(parents=True, exist_ok=True)
        with _downloaded(stack, batch_id, KEPT, say) as incoming:
            kept = keep(incoming, KEPT) if incoming else []
    except OSError as error:
        raise ResultsError(f"{why} Nor could they be kept in {KEPT}: {error.strerror or error}.") from error
    return Fetched(kept, f"{why} {_way_on(kept[0].parent, out)}" if kept else None)


def _way_on(folder: Path, out: Path) -> str:
    command = f"cp -R {shlex.quote(str(folder))} {shlex.quote(str(out.absolute()))}"
    return f"They are whole in {folder}. This puts them there once there is room: {command}"


@contextmanager
def _downloaded(stack: Stack, batch_id: str, place: Path, say: Callable[[str], None]) -> Iterator[Path | None]:
    """Yield a folder on the disk of `place` with the results; None if the batch has none."""
    prefix = f"results/{TENANT}/{batch_id}/"
    sizes = _sizes(stack, prefix)
    if shutil.disk_usage(place).free < sum(sizes.values()):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with tempfile.TemporaryDirectory(prefix=".results-", dir=place) as scratch:
        incoming = Path(scratch, batch_id)
        incoming.mkdir()
        with _naming_the_stack():
            for name in sizes:
                stack.clients.s3.download_file(stack.bucket, prefix + name, str(incoming / name))
        write_retry(stack, incoming, say)
        yield incoming if sizes else None


def _sizes(stack: Stack, prefix: str) -> Mapping[str, int]:
    with _naming_the_stack():
        listed = stack.clients.s3.list_objects_v2(Bucket=stack.bucket, Prefix=prefix).get("Contents", [])
    found = {item["Key"].removeprefix(prefix): item["Size"] for item in listed}
    return {name: found[name] for name in RESULTS if name in found}


@contextmanager
def _naming_the_stack() -> Iterator[None]:
    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise ResultsError(f"The results could not be read from the local S3: {error}") from error
