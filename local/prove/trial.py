"""One job at the service, from its input to its deletion; whatever ends it, `stop` leaves nothing that runs."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Final

import msgspec

from batch_client import BatchClientError, CannotTell, CreateOutcomeUnknown, Dialect, Look, State
from batch_client import Job as Wanted
from batchyard.domain.errors import BatchyardError
from local.prove.choice import Choice
from local.prove.lines import Batch
from local.prove.results import note_results
from local.prove.seen import Job, begun, note

LABEL: Final = "batchyard_prove"
FOUND, NOT_FOUND, CANNOT_TELL = "found", "not found", "cannot tell"
_SHOWN: Final = 200  # entries of a list that are looked through
_FEW: Final = 3
_FLOOR, _CEILING, _GROWTH = 0.2, 60.0, 1.5  # seconds between looks
_PATIENCE: Final = 90  # seconds in which a job whose create was lost must show
_READY: Final = 900  # seconds in which the service must have processed an input
_SKEW: Final = 300  # seconds by which the service's clock may differ

Say = Callable[[str], None]


class ProofFailed(Exception):  # noqa: N818 - it names what became of the run
    """The run cannot go on; the text says why."""


class Trial:
    """Make one job, and note what it shows."""

    def __init__(self, service: Dialect, choice: Choice, batch: Batch, run: str, say: Say) -> None:
        """Prepare it; nothing is made yet."""
        self._service, self._batch, self._say = service, batch, say
        self._counts_move = choice.profile.facts.progress == "live"
        #: What has been seen of it.
        self.job: Job = begun(batch)
        self._since = int(time.time()) - _SKEW
        self._began, self._creating, self._ended = time.monotonic(), False, False
        self._results: tuple[str, ...] = ()
        self._wanted = Wanted(
            key=f"{run}/{batch.name}", labels={LABEL + "_run": run}, endpoint=choice.asked.url,
            model=choice.asked.model, window=choice.window,
            count=len(batch.lines), filename=f"batchyard-prove-{run}-{batch.name}.jsonl",
        )  # fmt: skip

    def run(self, seconds: float, *, cancel: bool = False) -> None:
        """Go through the whole life of the job, within so many seconds; raises ProofFailed, BatchClientError.

        Answers that are no request's are a failure where requests have none: a run that understood nothing proves nothing.
        """
        self._prepare()
        self._submit()
        self._find()
        seen = self._cancelled() if cancel else None
        self._note_end(seen if seen is not None and seen.ended else self._awaited(seconds))
        self._find()
        self._delete()
        if self.job.strays and self.job.without_answer:
            raise ProofFailed(
                f"{self.job.without_answer} requests have no answer, and {self.job.strays} lines answer none: what the "
                "service sent was not understood, and nothing is proven."
            )

    def stop(self) -> Iterator[str]:
        """Cancel the job if it may still run, delete what it has left, and say what was done."""
        if self._creating:
            yield from self._stop_lost()
        job_id = self.job.id
        if job_id is not None and not self._ended:
            yield self._tried(f"{job_id} was cancelled", partial(self._service.stop, job_id))
        for name in self._names() if self.job.deleted is None else []:
            yield self._tried(f"{name} was deleted", partial(self._service.forget, name))

    def _stop_lost(self) -> Iterator[str]:
        told = f"A job of {self._wanted.count} requests may run, as its create got no answer"
        try:
            found = self._service.find(self._wanted, self._since)
        except BatchClientError as error:
            yield f"{told}; look for it yourself: {error.message}"
            return
        self.job.id = found.id if found else None
        if found is None:
            yield f"{told}; the service does not show it yet, look for it yourself"

    @staticmethod
    def _tried(told: str, call: Callable[[], object]) -> str:
        try:
            call()
        except (BatchClientError, BatchyardError) as error:  # of the service, or of the bucket that it reads
            return f"{told.partition(' was ')[0]} may still be there, look for it yourself: {error}"
        return told

    def _prepare(self) -> None:
        laid = self._service.prepare(self._wanted, _Bytes(self._batch.data))
        if laid is None:
            return
        self.job.input = laid.id
        until, pauses = time.monotonic() + _READY, _pauses()
        while laid.pending:
            if time.monotonic() > until:
                raise ProofFailed(f"The service has not processed the input {laid.id} within {_READY // 60} minutes.")
            self._say(f"{laid.id}: the service has yet to process the input …")
            time.sleep(next(pauses))
            laid = self._service.prepared(laid.id)
        if laid.problem:
            raise ProofFailed(f"The service cannot use the input: {laid.problem}")
        self._wanted = msgspec.structs.replace(self._wanted, prepared=laid.id)
        listed = islice(self._service.inputs(), _SHOWN)
        self.job.input_listed = any(each.filename == self._wanted.filename for each in listed)

    def _submit(self) -> None:
        """Create the job, once: whether there is one already is asked before, and after an answer that was lost."""
        self._find()
        if self.job.lookups[-1] == FOUND:
            raise ProofFailed("The service shows a job with our key before any was made.")
        self._creating = True
        try:
            made = self._service.submit(self._wanted, _Bytes(self._batch.data))
        except CreateOutcomeUnknown as error:
            made = self._lost(error)
        self._creating, self.job.id = False, made.id
        note(self.job, made)
        self._say(f"{made.id}: {self._wanted.count} requests, {made.status}")

    def _lost(self, error: BatchClientError) -> Look:
        """Find the job of a create whose answer was lost; it is never made again."""
        until = time.monotonic() + _PATIENCE
        while True:
            found = None
            try:
                found = self._service.find(self._wanted, self._since)
            except CannotTell:
                if time.monotonic() > until:
                    raise
            if found is not None:
                return found
            if time.monotonic() > until:
                raise ProofFailed(f"The answer to the create was lost, and no job shows: {error.message}") from error
            time.sleep(_FLOOR * 10)

    def _find(self) -> None:
        """Look the job up by its key, as after a lost create."""
        try:
            found = self._service.find(self._wanted, self._since)
        except CannotTell:
            self.job.lookups.append(CANNOT_TELL)
        else:
            own = found is not None and self.job.id in {None, found.id}
            self.job.lookups.append(FOUND if own else NOT_FOUND)
        if self.job.id is not None and self.job.listed is None:
            self.job.listed = any(each.id == self.job.id for each in islice(self._service.jobs(), _SHOWN))
            behind = islice(self._service.jobs(self.job.id), _FEW)
            self.job.list_goes_on = all(each.id != self.job.id for each in behind)

    def _cancelled(self) -> Look:
        """Cancel the job once it has run something, as far as the service shows that."""
        until = time.monotonic() + _PATIENCE
        while not ((seen := self._looked()).ended or self._has_run(seen) or time.monotonic() > until):
            time.sleep(_FLOOR)
        self.job.run_before_cancel = _done(seen) if seen.counts else None
        self.job.ended_before_cancel = seen.ended
        self._say(f"{seen.id}: cancelled while it is {seen.status}")
        stopped = self._service.stop(seen.id)
        note(self.job, stopped)
        return stopped

    def _has_run(self, seen: Look) -> bool:
        """Tell whether it runs, and shows that it has run something if the service's counts move."""
        return seen.state is State.RUNNING and (_done(seen) > 0 or not self._counts_move)

    def _looked(self) -> Look:
        seen = self._service.look(self.job.id or "")
        note(self.job, seen)
        return seen

    def _awaited(self, seconds: float) -> Look:
        pauses = _pauses()
        while True:
            seen, pause = self._looked(), next(pauses)
            if seen.ended:
                return seen
            if time.monotonic() > self._began + seconds:
                raise ProofFailed(f"{seen.id} has not ended within {seconds / 3600:.0f} hours: it is {seen.status}.")
            if pause > 1:
                self._say(f"{seen.id}: {_told(seen)}")
            time.sleep(pause)

    def _note_end(self, seen: Look) -> None:
        self._ended, self._results = True, seen.results
        self.job.seconds = round(time.monotonic() - self._began, 1)
        self.job.problems = [f"{each.code}: {each.message}"[:400] for each in seen.problems]
        files = (self._service.read(name, self._batch.ids, self._wanted.key) for name in seen.results)
        note_results(self.job, self._batch, seen, files)
        self._say(f"{seen.id}: {seen.status}, {self.job.succeeded} of {self.job.requests} answered")

    def _delete(self) -> None:
        """Delete what the job has left, twice: the second time there is nothing."""
        names = self._names()
        first = [self._service.forget(name) for name in names]
        second = [self._service.forget(name) for name in names]
        self.job.deleted = all(first) and not any(second)

    def _names(self) -> list[str]:
        return [*self._results, *([self.job.input] if self.job.input else [])]


class _Bytes:
    """Bytes as a source: `batch_client` reads them as often as it must."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[bytes]:
        yield self._data


def _pauses() -> Iterator[float]:
    """Yield the seconds between looks, which grow, without end."""
    pause = _FLOOR
    while True:
        yield pause
        pause = min(pause * _GROWTH, _CEILING)


def _done(seen: Look) -> int:
    return seen.counts.completed + seen.counts.failed if seen.counts else 0


def _told(seen: Look) -> str:
    done = f", {_done(seen)} of {seen.counts.total} done" if seen.counts else ""
    return f"{seen.status}{done}" if seen.state is not State.UNKNOWN else f"{seen.status}, a word that is not known"
