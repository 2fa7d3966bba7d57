"""A running stack: where it is reached, and whether its processes run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.stack.clients import Clients
from local.stack.processes import Process
from local.stack.provider_choice import Own

TENANT = "default"


@dataclass(frozen=True)
class Stack:
    """A running stack."""

    #: Clients of its engine.
    clients: Clients
    #: The outputs of the deployed template.
    outputs: Mapping[str, str]
    #: The base URL of the provider that gets the batches.
    provider_url: str
    #: The engine and, unless the user has a provider of their own, the emulator.
    processes: tuple[Process, ...]
    #: The folder of the run, with the logs.
    folder: Path
    #: The user's own provider; None with the emulator.
    own: Own | None = None
    #: Whether the files at that provider stay until whoever fetches the results deletes them.
    deletes_late: bool = False

    @property
    def endpoint_url(self) -> str:
        """Return the engine's address, which AWS's own clients take as their endpoint URL."""
        return self.clients.endpoint_url

    @property
    def base_url(self) -> str:
        """Return the address of the HTTP API, with `/v1` at its end."""
        return f"{self.endpoint_url}/v1"

    @property
    def console_url(self) -> str:
        """Return the address of the console, for a browser."""
        return f"{self.endpoint_url}/console"

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
