"""The world of the tests on moto, but on services of memory: for what does not turn upon AWS, in a hundredth of the time."""

from __future__ import annotations

from batchyard.planning.intake import intake
from batchyard.settings import Settings
from tests.fakes.batches import BUCKET
from tests.fakes.endings import EndingsProvider
from tests.fakes.services import MemoryAdapters, made_up_settings
from tests.integration.batchyard.roles import Roles
from tests.integration.batchyard.world import REGION, Clock, World


class MemoryWorld(World):
    """Services, its provider and clock, and the state machine played by hand."""

    def __init__(self) -> None:
        clock = Clock()
        provider = EndingsProvider(clock)
        settings = made_up_settings(max_enqueued_tokens=Settings.max_enqueued_tokens)
        self.memory = MemoryAdapters(settings, provider, clock, lambda: 0.5)
        super().__init__(self.memory, provider, clock, Roles(self.memory.settings, REGION))

    def __post_init__(self) -> None:
        """Leave AWS alone."""

    def drop(self, data: bytes, key: str = "inbox/default/in.jsonl", **metadata: str) -> str:
        self.memory.bucket.stored[key], self.memory.bucket.metadata[key] = data, metadata
        batch_id = intake(self.memory, BUCKET, key)
        assert batch_id is not None
        return batch_id

    def read(self, key: str) -> bytes:
        return self.memory.bucket.get(key)
