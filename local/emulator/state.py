"""Everything one emulator holds."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.emulator.answering import Answerer
from local.emulator.batches import BatchStore
from local.emulator.clock import Clock
from local.emulator.faults import Scenario
from local.emulator.files import FileStore
from local.emulator.scenario import Director
from local.emulator.uploads import UploadStore
from local.emulator.webhooks import Endpoint

_CALLS_KEPT = 100_000


@dataclass
class State:
    """One emulator: its clock, its stores, the scenario it plays and the calls it has seen.

    `direct` are the requests answered 2xx at once, outside of any batch, and so billed.
    `defaults` are the scenario members given on the command line; a scenario set later keeps them unless it names them.
    """

    directory: Path
    scenario: Scenario
    answerer: Callable[[Scenario], Answerer]
    api_key: str | None = None
    defaults: dict[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    calls: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_CALLS_KEPT))
    direct: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_CALLS_KEPT))
    webhook_endpoints: dict[str, Endpoint] = field(default_factory=dict)
    files: FileStore = field(init=False)
    uploads: UploadStore = field(init=False)
    batches: BatchStore = field(init=False)
    director: Director = field(init=False)

    def __post_init__(self) -> None:
        self.files = FileStore(self.directory, self.clock)
        self.uploads = UploadStore(self.clock)
        self.batches = BatchStore(self.directory, self.clock)
        self.play(self.scenario)

    def play(self, scenario: Scenario) -> None:
        """Follow another scenario from now on; its counters start at zero."""
        self.scenario = scenario
        self.director = Director(scenario, self.batches.next_ordinal() - 1)
