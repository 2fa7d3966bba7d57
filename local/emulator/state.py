"""The state of one emulator."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.emulator.answering import Answerer
from local.emulator.anthropic.batches import MessageBatchStore
from local.emulator.batches import BatchStore
from local.emulator.bedrock.aws import Aws
from local.emulator.bedrock.jobs import JobStore
from local.emulator.bill import PriceList
from local.emulator.clock import Clock
from local.emulator.faults import Scenario
from local.emulator.files import FileStore
from local.emulator.ordinals import Ordinals
from local.emulator.scenario import Director
from local.emulator.uploads import UploadStore
from local.emulator.webhooks import Endpoint

_CALLS_KEPT = 100_000


@dataclass
class State:
    """All that one emulator holds."""

    #: Where all files are.
    directory: Path
    #: The scenario that is played.
    scenario: Scenario
    #: What answers lines under a scenario.
    answerer: Callable[[Scenario], Answerer]
    #: The only key that is accepted; None means any key.
    api_key: str | None = None
    #: Members of the scenario from the command line; a later scenario keeps those that it does not name.
    defaults: dict[str, Any] = field(default_factory=dict)
    #: What tokens cost.
    prices: PriceList = field(default_factory=lambda: PriceList([]))
    #: What tokens cost at Bedrock.
    aws_prices: PriceList = field(default_factory=lambda: PriceList([]))
    #: Where Bedrock's inputs and results lie, and whom its events go to.
    aws: Aws = field(default_factory=Aws)
    clock: Clock = field(default_factory=Clock)
    #: The latest calls, oldest first.
    calls: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_CALLS_KEPT))
    #: The latest requests that were answered 2xx at once, outside a batch, and so are billed.
    direct: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_CALLS_KEPT))
    webhook_endpoints: dict[str, Endpoint] = field(default_factory=dict)
    files: FileStore = field(init=False)
    uploads: UploadStore = field(init=False)
    batches: BatchStore = field(init=False)
    message_batches: MessageBatchStore = field(init=False)
    #: Of Bedrock: its jobs, and OpenAI's batches there.
    jobs: JobStore = field(init=False)
    bedrock_batches: BatchStore = field(init=False)
    #: The numbers of the batches of all kinds.
    ordinals: Ordinals = field(default_factory=Ordinals)
    #: What decides which failure happens, for the scenario that is played.
    director: Director = field(init=False)

    def __post_init__(self) -> None:
        self.files = FileStore(self.directory, self.clock)
        self.uploads = UploadStore(self.clock)
        self.batches = BatchStore(self.directory, self.clock, self.ordinals)
        self.message_batches = MessageBatchStore(self.directory, self.clock, self.ordinals)
        self.jobs = JobStore(self.directory, self.clock, self.ordinals)
        self.bedrock_batches = BatchStore(self.directory, self.clock, self.ordinals)
        self.play(self.scenario)

    def play(self, scenario: Scenario) -> None:
        """Follow another scenario from now on, with counters that start at zero."""
        self.scenario = scenario
        self.director = Director(scenario, self.ordinals.coming - 1)
