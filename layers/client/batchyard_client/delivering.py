"""From an ended batch to what a person asked for: a folder of results, a file of them in input order, or a table."""

import gzip
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from batch_client import NotFoundError

from .answers import rates_of
from .errors import OtherInput, Refused, Stopped, UsageFault
from .fetching import CHUNK, Fetch, Results
from .front import Front
from .home import naming
from .inputs import Input, check_plain, is_folder
from .job_record import JobRecord
from .ordering import bad_lines, by_rows, causes, ids_of, in_order
from .service import View
from .watching import reasons_told

GZIP: Final = b"\x1f\x8b"  # with which a packed file begins


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a batch."""

    batch_id: str
    status: str
    rows: int
    succeeded: int
    #: Rows without a good answer; each is of one of the kinds below, or the provider failed it and has no retry.
    failed: int
    #: Rows that `batchyard retry` sends again.
    retryable: int
    #: Rows that were not asked, because a cell is null.
    skipped: int
    #: Rows whose answer is not what was asked for: a refusal, or what does not fit the schema.
    unfit: int
    #: Bad lines of the input, which `--on-invalid skip` left out.
    bad: int
    #: How many rows failed with which code, the most frequent one first; these had no answer, or a refusal by status.
    causes: dict[str, int]
    #: What was said of the first row with that code.
    cause: str
    usd: float | None
    usage: dict[str, Any] | None
    #: Where the results are.
    out: str

    @property
    def all_good(self) -> bool:
        """Tell whether every row has an answer."""
        return self.status == "completed" and self.failed == 0


def results_of(front: Front, view: View, folder: Path) -> Results:
    """Fetch the results of an ended batch into a folder; raises Refused if it has none."""
    if view.status == "failed" and view.output_file_id is None and view.error_file_id is None:
        why = " ".join(reasons_told(view)) or "the service gives no reason."
        dear = any(each.get("code") == "max_cost_exceeded" for each in (view.errors or {}).get("data") or [])
        how = "Raise --max-cost, or send less." if dear else "With --new the same content becomes another batch."
        raise Refused(f"{view.id} failed: {why} {how}")
    with front.screen.bar("Fetching", None, of_bytes=True) as bar:
        return Fetch(front.service, front.patience, view, folder).run(bar)


@contextmanager
def alone(front: Front, view: View) -> Iterator[None]:
    """Let one command or call at a time bring the results of a batch; another one waits, and says so."""
    waiting = f"Another command fetches the results of {view.id} now; waiting for it …"
    with front.home.lock(f"fetching/{view.id}.lock", lambda: front.screen.say(waiting)):
        yield


@contextmanager
def _of_one_batch(front: Front, out: str) -> Iterator[None]:
    """Let one batch at a time write its files into a folder, so that the folder holds those of one."""
    name = hashlib.sha256(str(Path(out).resolve()).encode()).hexdigest()[:32]
    with front.home.lock(
        f"fetching/{name}.lock", lambda: front.screen.say(f"Another command writes to {out}; waiting …")
    ):
        yield


@contextmanager
def fetched(front: Front, view: View) -> Iterator[Results]:
    """Give the results in a folder that no other command uses, and that goes once they are where they belong."""
    with alone(front, view):
        folder = front.home.path(f"fetching/{view.id}/.")
        yield results_of(front, view, folder)
        shutil.rmtree(folder, ignore_errors=True)  # a file that is in use elsewhere may stay


def source_of(record: JobRecord | None) -> Input | None:
    """Return the input of a batch, if it was a file that is still there."""
    if record is None or record.source is None or not Path(record.source).is_file():
        return None
    return Input(record.source, record.recipe, record.reading)


def proved(front: Front, view: View, source: Input) -> Input:
    """Return the input as it is now, if it makes the requests that were sent; raises OtherInput."""
    settled = source.settled()
    record = front.records.of_batch(view.id)
    now = settled.content(front.home).digest_now()
    sent = {record.digest} if record is not None and record.digest is not None else _sent_digests(front, view)
    if now not in sent:
        raise OtherInput(
            f"{source.name} does not make the requests that {view.id} was sent: it has changed since, or the recipe is"
            " another one. So its rows would stand beside answers of others. Name what was sent, or fetch the answers"
            f" alone: batchyard fetch {view.id} --out {view.id}/"
        )
    return settled


def _sent_digests(front: Front, view: View) -> set[str]:
    """Return the digests of the file that was sent, as it lies at the service and unpacked."""
    name = f"spool/.new-sent-{os.getpid()}-{os.urandom(4).hex()}"
    path = front.home.path(name)

    def download() -> None:
        with path.open("wb") as file:
            front.service.client.download_file_to(str(view.input_file_id), file)

    try:
        front.patience.run(download)
        return {_digest(path.open("rb")), _digest(gzip.open(path))} if _is_packed(path) else {_digest(path.open("rb"))}
    except NotFoundError as error:
        raise OtherInput(
            f"Nothing proves that these are the rows of {view.id}: this machine did not send it, and the service has its"
            f" input no more. To have the answers alone: batchyard fetch {view.id} --out {view.id}/"
        ) from error
    finally:
        front.home.remove(name)


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP


def _digest(file: IO[bytes] | gzip.GzipFile) -> str:
    hashed = hashlib.sha256()
    with file:
        while chunk := file.read(CHUNK):
            hashed.update(chunk)
    return hashed.hexdigest()


def lines_of(results: Results, source: Input) -> Iterator[bytes]:
    """Yield the result lines in the order of the input."""
    return by_rows(results) if source.is_table else in_order(results, ids_of(source.requests()))


@contextmanager
def kept(out: str) -> Iterator[None]:
    """Tell a fault of the disk as what it is: the batch has ended, and its answers are not lost."""
    try:
        yield
    except Exception as error:
        fault = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(fault, OSError) or not isinstance(error, OSError | _unwritable()):
            raise
        where = fault.filename or out
        raise Stopped(
            f"{where} cannot be written: {fault.strerror or fault}. The answers are kept, and nothing is paid again: make"
            " room, or name another place with --out, and run the same command again."
        ) from error


def _unwritable() -> type[Exception]:
    from .tables.errors import UnwritableTable  # noqa: PLC0415 - only where writing failed

    return UnwritableTable


def deliver(front: Front, view: View, source: Input | None, out: str) -> Delivered:
    """Bring the results of an ended batch to `out`; raises Stopped if the disk does not take them."""
    with kept(out):
        return _delivered(front, view, source, out)


def _delivered(front: Front, view: View, source: Input | None, out: str) -> Delivered:
    if out == "-":
        raise UsageFault("Results need a file, not standard output. Name one, and then print it.")
    if is_folder(out):
        with alone(front, view), _of_one_batch(front, out):
            results = results_of(front, view, Path(out))
            return _told(front, view, results, out)
    if source is None:
        raise UsageFault(f"The input of {view.id} is not at hand, so only a folder can be written: --out {view.id}/")
    source = proved(front, view, source)
    with fetched(front, view) as results, front.screen.bar("Writing", None):
        write = _table if source.is_table else _plain
        return write(front, results, source, view, out)


def _plain(front: Front, results: Results, source: Input, view: View, out: str) -> Delivered:
    """Write the result lines in input order."""
    target = Path(out)
    check_plain(target)
    part = target.with_name(f".{target.name[:40]}.{view.id[-12:]}.part")  # two batches may be written here at once
    with naming(target), part.open("wb") as file:
        file.writelines(lines_of(results, source))
    part.replace(target)
    return _told(front, view, results, out)


def _table(front: Front, results: Results, source: Input, view: View, out: str) -> Delivered:
    """Write the table with its answers."""
    from . import tables  # noqa: PLC0415 - only where there is a table

    summary = tables.write(out, source.table(), source.made_recipe(), lines_of(results, source), price=price_of(view))
    unanswered = _count(results.errors)
    return _told(front, view, results, out, skipped=summary.skipped, unfit=max(0, summary.failed - unanswered))


def price_of(view: View) -> Any:  # noqa: ANN401 - tables.Price, or None
    """Return what tokens cost in a batch, as a function of model, input, cached and output tokens; None if unknown."""
    rates = rates_of(view.cost)
    return None if rates is None else lambda model, given, _cached, made: rates.cost(model, given, made)


def _told(front: Front, view: View, results: Results, out: str, *, skipped: int = 0, unfit: int = 0) -> Delivered:
    """Say what came of a batch: the lines of its files, of which some answers may not fit, and rows without a line."""
    answers, errors, bad = _count(results.output), _count(results.errors), bad_lines(results.errors)
    why, words = causes(results.errors)
    return Delivered(
        batch_id=view.id, status=view.status, rows=answers + errors + skipped, succeeded=answers - unfit,
        failed=errors + skipped + unfit, retryable=errors - bad if front.service.is_batchyard else 0,
        skipped=skipped, unfit=unfit, bad=bad, causes=why, cause=words, usd=view.usd, usage=view.usage, out=out,
    )  # fmt: skip


def _count(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
