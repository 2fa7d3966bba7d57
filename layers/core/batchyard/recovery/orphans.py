"""What carries our stack's name at the provider and no record knows: adopted, cancelled or deleted."""

from collections.abc import Callable, Iterator
from functools import partial
from operator import methodcaller
from typing import Final, Generic, Protocol, TypeVar

from batch_client import AuthenticationError, BatchClientError, File
from batch_client import Batch as ProviderBatch
from batchyard.domain import object_keys
from batchyard.domain.shard import ATTEMPT_KEY, CLOCK_SKEW, STACK_KEY, Shard, change_attempt
from batchyard.domain.statuses import PROVIDER_ENDING
from batchyard.recovery import ownership
from batchyard.recovery.ownership import LONGEST_AT_PROVIDER, Owner, Verdict
from batchyard.recovery.sweep_run import SweepRun
from batchyard.shards import provider_files

MOST_ORPHANS: Final = 100  # that one run of the sweep puts away


class Listed(Protocol):
    """What a provider lists."""

    @property
    def id(self) -> str:
        """Name it."""
        ...

    @property
    def created_at(self) -> int | None:
        """Tell its Unix seconds, if the provider does."""
        ...


T = TypeVar("T", bound=Listed)


class Walk(Generic[T]):
    """A walk over what the provider lists, newest first, back to where the last whole one began.

    One that does not come to its end in time goes on in the next run. What is not clear yet, or was not done with, is
    met again, for the next walk goes back as far.
    """

    def __init__(self, run: SweepRun, chore: str, *, stays: bool) -> None:
        """Go on where the last run stopped; `stays` says that what is put away is listed all the same."""
        self.stays = stays
        self._shift, self._chore, now = run, chore, run.services.now()
        mark = run.services.sweep_store.bookmark(chore)
        self._since = max(mark.get("since") or 0, now - LONGEST_AT_PROVIDER)
        self._after: str | None = mark.get("after")
        self._next_since: int = mark.get("next_since") or now - CLOCK_SKEW
        self._whole = False

    def items(self, listed: Callable[[str | None], Iterator[T]]) -> Iterator[T]:
        """Yield what is listed."""
        behind, first = self._after, None
        try:
            for item in listed(behind):
                # Where a provider lists the oldest first, nothing is older than the first: then all are looked at.
                first = first or item.created_at
                if item.created_at and first and item.created_at < min(self._since, first):
                    break
                if self._shift.over():
                    return
                yield item
                behind = None
        except BatchClientError as error:
            if isinstance(error, AuthenticationError):
                self._shift.services.secret.forget()  # it may have been rotated
            self._shift.services.sweep_store.keep_bookmark(
                self._chore, {"since": self._since}
            )  # the mark itself may be refused
            raise
        self._whole, self._after = (
            behind is None,
            None,
        )  # nothing behind the mark: it may be gone, so from the start again

    def passed(self, item: T, verdict: Verdict) -> None:
        """Have the next run go on behind this, if there is not time enough for the rest."""
        if verdict is not Verdict.ORPHAN or self.stays:
            self._after = item.id
        if verdict in {Verdict.AWAITED, Verdict.UNCLEAR}:
            self.again(item)

    def again(self, item: T) -> None:
        """Have the next walk meet this again."""
        self._next_since = min(self._next_since, item.created_at or self._next_since)

    def close(self) -> None:
        """Write down how far it came."""
        mark: dict[str, object] = {"since": self._next_since}
        if not self._whole:
            mark = {"since": self._since, "after": self._after, "next_since": self._next_since}
        self._shift.services.sweep_store.keep_bookmark(self._chore, mark)


def look_for_batches(run: SweepRun) -> None:
    """Adopt the provider batches that a shard waits for without knowing, and cancel those that nobody waits for."""
    batches: Walk[ProviderBatch] = Walk(run, "provider batches", stays=True)
    _walk(run, batches, lambda after: run.services.provider.iter_batches(after=after), _judge, _put_away)


def look_for_files(run: SweepRun) -> None:
    """Delete the uploads that no record knows, because their worker died before it could write them down."""
    if provider_files.may_delete(run.services):
        files: Walk[File] = Walk(run, "provider files", stays=False)
        listed = partial(run.services.provider.iter_files, purpose="batch")
        _walk(run, files, lambda after: listed(after=after), _judge_file, lambda run, file: _delete(run, [file.id]))


def _walk(
    run: SweepRun, walk: Walk[T], listed: Callable[[str | None], Iterator[T]], judge: Callable[[SweepRun, T], Verdict],
    put_away: Callable[[SweepRun, T], bool],
) -> None:  # fmt: skip
    if run.unreachable:
        return
    orphans: list[T] = []  # put away when the walk is over, for the next page is asked for by the name of the last one
    for seen in walk.items(listed):
        verdict = judge(run, seen)
        walk.passed(seen, verdict)
        orphans += [seen] if verdict is Verdict.ORPHAN else []
        if len(orphans) >= MOST_ORPHANS:
            break
    for orphan in orphans:
        if run.unreachable or not put_away(run, orphan):
            walk.again(orphan)
    walk.close()


def _judge(run: SweepRun, seen: ProviderBatch) -> Verdict:
    key = object_keys.attempt_of(seen.metadata.get(ATTEMPT_KEY, ""))
    if key is None or seen.metadata.get(STACK_KEY) != run.services.settings.stack:
        return Verdict.OWNED  # by somebody else
    owner = _owner(run, *key)
    verdict = ownership.of_batch(owner, seen.id, _age(run, seen))
    if verdict is Verdict.AWAITED and owner.shard is not None:
        _adopt(run, owner.shard, seen)
    return verdict


def _judge_file(run: SweepRun, seen: File) -> Verdict:
    key = object_keys.attempt_of_filename(seen.filename, run.services.settings.stack)
    if key is None:
        return Verdict.OWNED  # by somebody else
    return ownership.of_file(_owner(run, *key), seen.id, _age(run, seen))


def _age(run: SweepRun, seen: Listed) -> int:
    return run.services.now() - seen.created_at if seen.created_at else 0  # where nobody knows, it may be new


def _owner(run: SweepRun, batch_id: str, shard: int, number: int) -> Owner:
    batch = run.services.batch_store.find_batch(batch_id)
    return Owner(batch, run.services.batch_store.shard(batch_id, shard) if batch else None, number)


def _adopt(run: SweepRun, shard: Shard, seen: ProviderBatch) -> None:
    known = change_attempt(shard, provider_batch_id=seen.id, file_id=seen.input_file_id or shard.file_id)
    run.services.batch_store.link(seen.id, shard)
    with run.trying(provider_batch_id=seen.id):
        run.services.batch_store.save_shard(shard, known)
        run.count("ProviderBatchesAdopted", provider_batch_id=seen.id, batch_id=shard.batch_id, shard=shard.shard)


def _put_away(run: SweepRun, orphan: ProviderBatch) -> bool:
    """Cancel an orphan, and delete its answers once it has ended; True when nothing is left to do."""
    if orphan.ended:
        return _delete(run, [each for each in (orphan.output_file_id, orphan.error_file_id) if each])
    if orphan.status not in PROVIDER_ENDING:
        with run.trying(provider_batch_id=orphan.id):
            run.services.ask(methodcaller("cancel_batch", orphan.id))
            run.count("ProviderBatchesCancelled", provider_batch_id=orphan.id)
    return False


def _delete(run: SweepRun, file_ids: list[str]) -> bool:
    """Delete files that no record knows; True when there is no more to do about them."""
    return not provider_files.may_delete(run.services) or not run.delete(file_ids)
