"""Start the whole of Batchyard on one machine: the engine, template.yaml on the engine, and a provider."""

import http.client
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError

from local import ROOT, engine
from local.stack.clients import Clients
from local.stack.deploy import TEMPLATE, build, deploy, name_console, read_template, store_secrets
from local.stack.processes import Process
from local.stack.provider_choice import Own, Provider, tell_place
from local.stack.running import Stack
from local.stack.settings import Settings

_LAYERS = ROOT / ".cache" / "layers"  # unpacked, for all runs
_READY_SECONDS = 60.0
_GRACE_SECONDS = 2.0


@contextmanager
def start_stack(
    folder: Path, host: Mapping[str, str], say: Callable[[str], None], settings: Settings, template: Path = TEMPLATE
) -> Iterator[Stack]:
    """Start and deploy the whole stack, yield it when it is ready, and end it with the block.

    `folder` gets logs and scratch space. `host` is the user's environment. `say` gets a sentence before each long step.

    Raises:
        BuildError: a layer could not be built.
        DeployError: the engine refused the template.
        ProviderError: a provider cannot reach what it must read by itself.
        ProcessEnded: a process ended by itself.

    """
    content, own = read_template(template), settings.own
    with ExitStack() as started:
        port, aws = start_engine(folder, host, started)
        emulator = None if own else _start_emulator(folder, host, started)
        say("Building the layers and functions …")
        files = build(content, template.parent, folder / "scratch")
        provider: Own = own or _await_emulator(emulator)
        await_engine(aws, port)
        tell_place(provider, engine.endpoint_url(port))
        processes = tuple(process for process in (aws, emulator) if process)
        clients = Clients(engine.endpoint_url(port))
        say("Deploying template.yaml …")
        with _naming_the_ended(processes):
            outputs = deploy(content, files, settings.parameters_for(content, provider), clients)
            store_secrets(settings.secrets(provider), outputs, clients)
            stack = Stack(clients, outputs, provider.url, processes, folder, own, settings.deletes_late)
            name_console(stack.console_url, outputs, clients)
            yield stack


@contextmanager
def _naming_the_ended(processes: tuple[Process, ...]) -> Iterator[None]:
    """Raise ProcessEnded, which names the process, if a call of the engine fails because a process has ended."""
    try:
        yield
    except (BotoCoreError, OSError):
        for process in processes:
            process.check(_GRACE_SECONDS)
        raise


def start_engine(
    folder: Path, host: Mapping[str, str], started: ExitStack, without: Sequence[str] = ()
) -> tuple[int, Process]:
    """Start the engine, which ends when `started` is closed, and return its port and its process.

    `without` names mends and wrappers that the engine leaves out.
    """
    # bound here and inherited open, so that no other process can take the port
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        environment = engine.environment(port, folder / "scratch", _LAYERS, host)
        command = ("local.engine", str(listening.fileno()), *without)
        process = Process("engine", command, folder, environment, [listening.fileno()])
    started.callback(process.end)
    return port, process


def await_engine(process: Process, port: int) -> None:
    """Wait until the engine answers.

    Raises:
        ProcessEnded: the engine ended instead.

    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_READY_SECONDS)
    with _naming_the_ended((process,)):
        try:
            connection.request("GET", "/_ministack/health")
            connection.getresponse().read()
        finally:
            connection.close()


def _start_emulator(folder: Path, host: Mapping[str, str], started: ExitStack) -> Process:
    command = ("local.emulator", "--prices", str(ROOT / "layers/core/batchyard/costs/prices.json"))
    process = Process("provider emulator", command, folder, {**host, "TMPDIR": str(folder / "scratch")})
    started.callback(process.end)
    return process


def _await_emulator(emulator: Process | None) -> Provider:
    if emulator is None:
        raise ValueError("there is neither an emulator nor a provider of the user's own")
    ready = emulator.read_ready_line()
    return Provider(ready["provider_url"], ready["api_key"])
