"""Everything one emulator holds."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.provider.answering import Answerer
from local.provider.batches import BatchStore
from local.provider.clock import Clock
from local.provider.faults import Scenario
from local.provider.files import FileStore
from local.provider.scenario import Director

_CALLS_KEPT = 100_000


@dataclass
class State:
    """One emulator: its clock, its stores, the scenario it plays and the calls it has seen."""

    directory: Path
    scenario: Scenario
    answerer: Callable[[Scenario], Answerer]
    api_key: str | None = None
    clock: Clock = field(default_factory=Clock)
    calls: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_CALLS_KEPT))
    lock: threading.Lock = field(default_factory=threading.Lock)
    files: FileStore = field(init=False)
    batches: BatchStore = field(init=False)
    director: Director = field(init=False)

    def __post_init__(self) -> None:
        self.files = FileStore(self.directory, self.clock)
        self.batches = BatchStore(self.directory, self.clock)
        self.play(self.scenario)

    def play(self, scenario: Scenario) -> None:
        """Follow another scenario from now on; its counters start at zero."""
        self.scenario = scenario
        self.director = Director(scenario)
