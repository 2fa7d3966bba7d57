"""A running stack: where its doors are, and whether its processes live."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.stack.clients import Clients
from local.stack.processes import Process
from local.stack.provider_choice import Provider

TENANT = "default"


@dataclass(frozen=True)
class Stack:
    """A running stack, and where its doors are; `own` is the user's provider, None with the emulator."""

    clients: Clients
    outputs: Mapping[str, str]
    provider_url: str
    processes: tuple[Process, ...]
    folder: Path
    own: Provider | None = None

    @property
    def endpoint_url(self) -> str:
        """Return the engine's address, for AWS's own clients."""
        return self.clients.endpoint_url

    @property
    def base_url(self) -> str:
        """Return the HTTP API's address up to and with `/v1`."""
        return f"{self.endpoint_url}/v1"

    @property
    def bucket(self) -> str:
        """Return the name of the data bucket."""
        return self.outputs["BucketName"]

    @property
    def table(self) -> str:
        """Return the name of the table of records."""
        return self.outputs["TableName"]

    def check(self, wait_seconds: float = 0.0) -> None:
        """Raise ProcessEnded if a process of the stack has ended, or ends within `wait_seconds`."""
        for process in self.processes:
            process.check(wait_seconds)
