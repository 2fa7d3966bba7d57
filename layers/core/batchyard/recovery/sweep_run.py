"""One run of the sweep: what was done, what failed, and how long the run may go on."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from batch_client import BatchClientError
from batchyard.domain.errors import BatchyardError, KeyMissing, StaleRecord, StoreError
from batchyard.observability import logger
from batchyard.providers.account import Account
from batchyard.services import Services
from batchyard.shards import provider_files

RESERVE: Final = 120.0  # seconds that a call to a provider may take if the provider does not answer


class SweepRun:
    """The services, the count of each action by the name of its metric, and the time of each task."""

    def __init__(self, services: Services, seconds_left: Callable[[], float]) -> None:
        """Begin with no action."""
        self.services, self.done = services, Counter[str]()
        self._seconds_left, self._until = seconds_left, RESERVE
        self._failures: list[str] = []
        self.unreachable = set[str]()  # the names of the providers that do not serve us now
        self._undeleted = set[str]()  # idem, of those that delete no files now
        self.deletes = provider_files.may_delete(services)
        #: Names of executions of batches that ran when they were listed.
        self.running: frozenset[str] = frozenset()
        #: The keys of the inputs of open batches, of each tenant that was looked at; None if they could not be read.
        self.inputs: dict[str, frozenset[str] | None] = {}

    def allot(self, tasks_left: int) -> None:
        """Give the task that begins now its share of the time that is left."""
        left = self._seconds_left()
        self._until = max(RESERVE, left - (left - RESERVE) / tasks_left)

    def over(self) -> bool:
        """Tell whether the task under way must stop, and go on in the next run."""
        return self._seconds_left() <= self._until

    def count(self, action: str, **facts: object) -> None:
        """Count an action, and log it with `facts` that tell where."""
        self.count_many(action, 1, **facts)

    def count_many(self, action: str, times: int, **facts: object) -> None:
        """Count an action that was taken so many times."""
        if times:
            self.done[action] += times
            logger.info("swept", extra={"action": action, "times": times, **facts})

    def delete(self, account: Account, file_ids: list[str], **facts: object) -> list[str]:
        """Delete files at a provider and return those that are left; if one is left, this run deletes no more there."""
        if not file_ids or not self.deletes or account.name in self._undeleted:
            return file_ids
        deletion = provider_files.delete_files(account, file_ids)
        self.count_many("ProviderFilesDeleted", deletion.deleted, files=file_ids, **facts)
        if deletion.left:
            self.done["ProviderFailures"] += 1
            self._undeleted.add(account.name)
        return deletion.left

    @contextmanager
    def fenced(self, **facts: object) -> Iterator[None]:
        """Set apart what the block cannot read: told by the log, and counted. A failure of AWS or of the provider passes."""
        try:
            yield
        except (BatchyardError, BatchClientError):
            raise
        except Exception:  # noqa: BLE001 - what a poisoned record leads to is not known, and another run does not help
            logger.exception("set apart", extra=facts)
            self.done["SetApart"] += 1

    @contextmanager
    def trying(self, account: Account | None = None, **facts: object) -> Iterator[None]:
        """Keep a failure of the block from the rest of the run; `end` raises if AWS failed.

        `account` is the provider that the block asks, which this run leaves alone once it does not serve us.
        """
        try:
            with self.fenced(**facts):
                yield
        except StaleRecord:
            logger.info("somebody else saw to it", extra=facts)
        except KeyMissing as error:  # a stack that was just deployed is in order
            self._leave_alone(account)
            logger.info("provider not asked", extra={"reason": error.message, **facts})
        except BatchClientError as error:
            if error.retryable:
                self._leave_alone(account)
            self.done["ProviderFailures"] += 1
            told = {"error": type(error).__name__, "status": error.status, "code": error.code}
            logger.warning("provider call failed", extra={**told, **facts})
        except BatchyardError as error:
            logger.exception("not swept", extra=facts)
            self._failures.append(f"{facts}: {error}")

    def _leave_alone(self, account: Account | None) -> None:
        if account is not None:
            self.unreachable.add(account.name)

    def end(self) -> dict[str, int]:
        """Return the counts; raises StoreError if something of ours failed, so that an alarm tells."""
        if self._failures:
            raise StoreError(f"{len(self._failures)} things could not be swept, the first: {self._failures[0]}")
        return dict(self.done)
