"""All jobs of a run, one after the other, and what is left if it ends early."""

from batch_client import BatchClientError, Dialect
from batchyard.costs.prices import Prices
from batchyard.costs.usage import Usage
from batchyard.domain.batch import window_seconds
from batchyard.domain.errors import BatchyardError
from local.prove.choice import Choice
from local.prove.facts import compare
from local.prove.lines import Batch
from local.prove.price import Estimate, spent
from local.prove.seen import Proof
from local.prove.trial import ProofFailed, Say, Trial
from local.signals import Stopped, ignore_signals, raise_on_signals

_LONGER = 3_600  # seconds after the window in which a service may still write results


class Run:
    """Make the jobs, and note what they show."""

    def __init__(self, service: Dialect, choice: Choice, found: Estimate, say: Say) -> None:
        """Take the service; nothing is made yet."""
        self._service, self._choice, self._say = service, choice, say
        self._trials: list[Trial] = []
        #: What has been seen so far.
        self.proof = Proof(
            provider=choice.name, profile=choice.profile.name, url=choice.provider.url, model=choice.asked.model,
            endpoint=choice.asked.url, most_usd=found.most_usd,
        )  # fmt: skip

    def play(self, batches: list[Batch], run: str, known: Prices) -> None:
        """Make each job in turn; whatever ends the run, what it made is cancelled. Raises Stopped."""
        try:
            self._attempt(batches, run)
        except Stopped:
            raise_on_signals()  # a second Ctrl-C ends at once
            self._end_early("it was stopped.")
            raise
        except BatchClientError as error:
            self._end_early(f"{type(error).__name__}: {error}")
        except (ProofFailed, BatchyardError) as error:
            self._end_early(str(error))
        finally:
            ignore_signals()
            self._sum_up(known)

    def _end_early(self, why: str) -> None:
        self.proof.failed = why
        if self._trials:
            self._say("Cleaning up what the run has made …")
        for trial in self._trials:
            self.proof.left.extend(trial.stop())

    def _attempt(self, batches: list[Batch], run: str) -> None:
        seconds = window_seconds(self._choice.window) + _LONGER
        for batch in batches:
            trial = Trial(self._service, self._choice, batch, run, self._say)
            self._trials.append(trial)
            self.proof.jobs.append(trial.job)
            trial.run(seconds, cancel=batch.name == "cancel")

    def _sum_up(self, known: Prices) -> None:
        proof = self.proof
        proof.usd = spent(sum((job.used for job in proof.jobs), Usage()), self._choice.asked, known)
        proof.facts = compare(self._choice.profile.facts, proof.jobs, self._choice.window)
