"""Provider batches and files with the name of our stack that no record knows.

A batch whose create lost its answer is adopted by its shard. All others are orphans, which are cancelled or deleted.
"""

from collections.abc import Callable, Iterator
from functools import partial
from operator import methodcaller
from typing import Final, Generic, Protocol, TypeVar

from batch_client import AuthenticationError, BatchClientError, Input, ListEnd, Look
from batchyard.domain import object_keys
from batchyard.domain.job import CLOCK_SKEW, STACK_LABEL, may_be_stopped
from batchyard.domain.shard import Shard, with_attempt_members
from batchyard.providers.account import Account
from batchyard.recovery import ownership
from batchyard.recovery.ownership import Owner, Verdict, longest_at_provider
from batchyard.recovery.sweep_run import SweepRun
from batchyard.shards import provider_files

MOST_ORPHANS: Final = 100  # that one run of the sweep cleans up


class Listed(Protocol):
    """An entry of a provider's list."""

    @property
    def id(self) -> str:
        """Return its id."""
        ...

    @property
    def created_at(self) -> int | None:
        """Return its Unix seconds; None if the provider does not say."""
        ...


T = TypeVar("T", bound=Listed)


class Walk(Generic[T]):
    """A walk over a provider's list, newest first, back to where the last whole walk began.

    A walk that has no time left goes on in the next run. Items that could not be judged or cleaned up are visited again by
    the next walk.
    """

    def __init__(self, run: SweepRun, account: Account, what: str, *, stays: bool) -> None:
        """Go on where the last run stopped; `stays` says that an item is listed even after it was cleaned up."""
        self.account, self.stays = account, stays
        self._run, self._task, now = run, f"{what} of {account.name}", run.services.now()
        mark = run.services.sweep_store.bookmark(self._task)
        self._since = max(mark.get("since") or 0, now - longest_at_provider(account))
        self._after: str | None = mark.get("after")
        self._next_since: int = mark.get("next_since") or now - CLOCK_SKEW
        self._whole = False

    def items(self, listed: Callable[[str | None], Iterator[T]]) -> Iterator[T]:
        """Yield the items of the list; `listed` begins the list behind an id."""
        behind, end = self._after, ListEnd(self._since)
        try:
            for item in listed(behind):
                if end.passed(item.created_at):
                    break
                if self._run.over():
                    return
                yield item
                behind = None
        except BatchClientError as error:
            if isinstance(error, AuthenticationError):
                self.account.secret.forget()  # the key may be rotated
            # The provider may refuse the bookmark itself, so that the next walk begins at the start.
            self._run.services.sweep_store.keep_bookmark(self._task, {"since": self._since})
            raise
        # An empty list behind the bookmark may mean that its item is gone: then the next walk begins at the start.
        self._whole, self._after = behind is None, None

    def passed(self, item: T, verdict: Verdict) -> None:
        """Let the next run go on behind an item, if this run has no time for the rest."""
        if verdict is not Verdict.ORPHAN or self.stays:
            self._after = item.id
        if verdict in {Verdict.AWAITED, Verdict.UNCLEAR}:
            self.again(item)

    def again(self, item: T) -> None:
        """Let the next walk visit an item again."""
        self._next_since = min(self._next_since, item.created_at or self._next_since)

    def close(self) -> None:
        """Write the bookmark."""
        mark: dict[str, object] = {"since": self._next_since}
        if not self._whole:
            mark = {"since": self._since, "after": self._after, "next_since": self._next_since}
        self._run.services.sweep_store.keep_bookmark(self._task, mark)


def look_for_batches(run: SweepRun, account: Account) -> None:
    """Adopt the provider batches that a shard looks for, and cancel the orphans."""
    batches: Walk[Look] = Walk(run, account, "provider batches", stays=True)
    _walk(run, batches, account.client.jobs, _judge, _clean_up)


def look_for_files(run: SweepRun, account: Account) -> None:
    """Delete the files that no record knows, because their worker died before it recorded them."""
    if provider_files.may_delete(run.services):
        files: Walk[Input] = Walk(run, account, "provider files", stays=False)
        judge = partial(_judge_file, named_by_attempt=account.profile.reads_objects)
        _walk(run, files, account.client.inputs, judge, _delete_file)


def _walk(
    run: SweepRun, walk: Walk[T], listed: Callable[[str | None], Iterator[T]], judge: Callable[[SweepRun, T], Verdict],
    clean_up: Callable[[SweepRun, Account, T], bool],
) -> None:  # fmt: skip
    account = walk.account
    if account.name in run.unreachable:
        return
    orphans: list[T] = []  # cleaned up after the walk: the next page of the list is named by an item of the last page
    for seen in walk.items(listed):
        verdict = Verdict.UNCLEAR
        with run.fenced(listed=seen.id):
            verdict = judge(run, seen)
        walk.passed(seen, verdict)
        orphans += [seen] if verdict is Verdict.ORPHAN else []
        if len(orphans) >= MOST_ORPHANS:
            break
    for orphan in orphans:
        cleaned = False
        with run.fenced(orphan=orphan.id):
            cleaned = account.name not in run.unreachable and clean_up(run, account, orphan)
        if not cleaned:
            walk.again(orphan)
    walk.close()


def _judge(run: SweepRun, seen: Look) -> Verdict:
    key = object_keys.attempt_of(seen.key)
    if key is None or seen.labels.get(STACK_LABEL) != run.services.settings.stack:
        return Verdict.OWNED  # by another stack, or not made by us
    owner = _owner(run, *key)
    verdict = ownership.of_batch(owner, seen.id, _age(run, seen))
    if verdict is Verdict.AWAITED and owner.shard is not None:
        _adopt(run, owner.shard, seen)
    return verdict


def _judge_file(run: SweepRun, seen: Input, *, named_by_attempt: bool) -> Verdict:
    key = object_keys.attempt_of_filename(seen.filename, run.services.settings.stack)
    if key is None:
        return Verdict.OWNED  # by another stack, or not made by us
    return ownership.of_file(_owner(run, *key), seen.id, _age(run, seen), named_by_attempt=named_by_attempt)


def _age(run: SweepRun, seen: Listed) -> int:
    return run.services.now() - seen.created_at if seen.created_at else 0  # without a time, it may be new


def _owner(run: SweepRun, batch_id: str, shard: int, number: int) -> Owner:
    batch = run.services.batch_store.find_batch(batch_id)
    return Owner(batch, run.services.batch_store.shard(batch_id, shard) if batch else None, number)


def _adopt(run: SweepRun, shard: Shard, seen: Look) -> None:
    known = with_attempt_members(shard, provider_batch_id=seen.id, file_id=seen.input or shard.file_id)
    run.services.batch_store.link(run.services.account(shard.provider).name, seen.id, shard)
    with run.trying(provider_batch_id=seen.id):
        run.services.batch_store.save_shard(shard, known)
        run.count("ProviderBatchesAdopted", provider_batch_id=seen.id, batch_id=shard.batch_id, shard=shard.shard)


def _clean_up(run: SweepRun, account: Account, orphan: Look) -> bool:
    """Cancel an orphan, or delete its answers if it has ended; True if nothing is left to do."""
    if orphan.ended:
        return _delete(run, account, list(orphan.results))
    if may_be_stopped(orphan):
        with run.trying(account, provider_batch_id=orphan.id):
            account.ask(methodcaller("stop", orphan.id))
            run.count("ProviderBatchesCancelled", provider_batch_id=orphan.id)
    return False


def _delete_file(run: SweepRun, account: Account, file: Input) -> bool:
    return _delete(run, account, [file.id])


def _delete(run: SweepRun, account: Account, file_ids: list[str]) -> bool:
    """Delete files that no record knows; True if nothing is left to do."""
    return not provider_files.may_delete(run.services) or not run.delete(account, file_ids)
