"""The whole of Batchyard on one machine: the engine with template.yaml deployed on it, and a provider."""

import http.client
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError

from local import engine
from local.clients import Clients
from local.deploy import build, deploy, read_template, store_secrets
from local.parts import ROOT, Part
from local.provider_choice import Provider
from local.settings import Settings

TEMPLATE = ROOT / "template.yaml"
TENANT = "default"
_READY_SECONDS = 60.0
_GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Stack:
    """A running stack, and where its doors are; `own` is the user's provider, None with the emulator."""

    clients: Clients
    outputs: Mapping[str, str]
    provider_url: str
    parts: tuple[Part, ...]
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
        """Raise PartEnded when a part of the stack is gone, or goes within `wait_seconds`."""
        for part in self.parts:
            part.check(wait_seconds)


@contextmanager
def running(
    folder: Path, host: Mapping[str, str], say: Callable[[str], None], settings: Settings, template: Path = TEMPLATE
) -> Iterator[Stack]:
    """Yield the whole stack, deployed and ready; its logs and scratch space are in `folder`. It ends with the block.

    `host` is the user's environment, of which the processes keep what programs need. `say` is told what takes a while.

    Raises:
        BuildError: a layer could not be built.
        DeployError: the engine refused the template.
        PartEnded: a process ended by itself.

    """
    content, own = read_template(template), settings.own
    with ExitStack() as started:
        port, aws = start_engine(folder, host, started)
        emulator = None if own else _start_emulator(folder, host, started)
        say("Building the layers and functions …")
        files = build(content, template.parent, folder / "scratch")
        provider = own or _emulated(emulator)
        await_engine(aws, port)
        parts = tuple(part for part in (aws, emulator) if part)
        clients = Clients(engine.endpoint_url(port))
        say("Deploying template.yaml …")
        with _blaming(parts):
            outputs = deploy(content, files, settings.deployed(content, provider), clients)
            store_secrets(settings.secrets(provider), outputs, clients)
            yield Stack(clients, outputs, provider.url, parts, folder, own)


@contextmanager
def _blaming(parts: tuple[Part, ...]) -> Iterator[None]:
    """Name the part that ended when talking to the engine fails because of it."""
    try:
        yield
    except (BotoCoreError, OSError):
        for part in parts:
            part.check(_GRACE_SECONDS)
        raise


def start_engine(
    folder: Path, host: Mapping[str, str], started: ExitStack, without: Sequence[str] = ()
) -> tuple[int, Part]:
    """Start the engine, `without` some of its mends, until `started` is closed; return its port and its process."""
    with socket.create_server(("127.0.0.1", 0)) as listening:  # bound here, handed over open: nobody can take the port
        port = listening.getsockname()[1]
        environment = engine.environment(port, folder / "scratch", host)
        command = ("local.engine", str(listening.fileno()), *without)
        part = Part("engine", command, folder, environment, [listening.fileno()])
    started.callback(part.end)
    return port, part


def await_engine(part: Part, port: int) -> None:
    """Return when the engine answers.

    Raises:
        PartEnded: it ended instead.

    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_READY_SECONDS)
    with _blaming((part,)):
        try:
            connection.request("GET", "/_ministack/health")
            connection.getresponse().read()
        finally:
            connection.close()


def _start_emulator(folder: Path, host: Mapping[str, str], started: ExitStack) -> Part:
    part = Part("provider emulator", ("local.provider",), folder, {**host, "TMPDIR": str(folder / "scratch")})
    started.callback(part.end)
    return part


def _emulated(emulator: Part | None) -> Provider:
    if emulator is None:
        raise ValueError("there is neither an emulator nor a provider of the user's own")
    ready = emulator.ready_line()
    return Provider(ready["provider_url"], ready["api_key"])
