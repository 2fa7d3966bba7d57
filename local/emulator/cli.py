"""The command line of the provider emulator."""

import argparse
import asyncio
import json
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from local.emulator import app, faults, server
from local.emulator.answering import Answerer, Forwarded, Invented
from local.emulator.bedrock.aws import Aws
from local.emulator.bill import MAKERS, PriceList
from local.emulator.faults import Scenario
from local.emulator.guide import GUIDE
from local.emulator.state import State
from local.emulator.webhooks import Endpoint, new_secret

_ANY_KEY = "sk-emulator"
_AWS = "aws"
_HIGHEST_PORT = 65_535


def main(arguments: list[str] | None = None) -> int:
    """Run the emulator until a signal ends it, and return the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    given = _given_members(options)
    try:
        scenario = _scenario(options.scenario, given)
    except (OSError, msgspec.DecodeError) as error:
        print(f"The scenario cannot be read: {error}", file=sys.stderr)
        return 2
    try:
        prices = PriceList.read(options.prices, options.sellers)
        aws_prices = PriceList.read_if_there(options.prices, _AWS)
    except (OSError, msgspec.DecodeError, KeyError, TypeError) as error:
        print(f"The prices cannot be read: {error}", file=sys.stderr)
        return 2
    try:
        listening = server.listen(options.port)
    except OSError as error:
        print(f"Port {options.port} of 127.0.0.1 cannot be used: {error.strerror}.", file=sys.stderr)
        return 2
    directory = options.data or Path(tempfile.mkdtemp(prefix="provider-"))
    directory.mkdir(parents=True, exist_ok=True)
    state = State(directory, scenario, _answerer(options), options.api_key or None, given, prices, aws_prices)
    if options.aws:
        state.aws = Aws(options.aws)
    if options.webhook is not None:
        endpoint = Endpoint(options.webhook, "command line", state.clock.seconds(), secrets=[options.webhook_secret])
        state.webhook_endpoints[endpoint.id] = endpoint
    try:
        asyncio.run(_serve(state, listening))
    finally:
        state.clock.stop()
        if options.data is None:
            shutil.rmtree(directory, ignore_errors=True)
    return 0


async def _serve(state: State, listening: socket.socket) -> None:
    with listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        ready = json.dumps({"provider_url": url, "api_key": state.api_key or _ANY_KEY})
        await server.serve(app.build(state), listening, lambda: print(ready, flush=True))


def _given_members(options: argparse.Namespace) -> dict[str, Any]:
    """Return the members of the scenario that the options give."""
    limits = None if options.enqueued_tokens is None else {"*": options.enqueued_tokens}
    members = {
        "seconds_per_batch": options.seconds_per_batch,
        "seed": options.seed,
        "service": options.service,
        "enqueued_token_limits": limits,
    }
    return {name: value for name, value in members.items() if value is not None}


def _scenario(path: Path | None, given: dict[str, Any]) -> Scenario:
    scenario = Scenario() if path is None else faults.parse(path.read_bytes())
    return msgspec.structs.replace(scenario, **given)


def _answerer(options: argparse.Namespace) -> Callable[[Scenario], Answerer]:
    if options.forward is None:
        return Invented
    key = os.environ.get("FORWARD_API_KEY")
    forwarded = Forwarded(options.forward, key, options.forward_concurrency, options.forward_timeout)
    return lambda _scenario: forwarded


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to {_HIGHEST_PORT}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m local.emulator", description=GUIDE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--port", type=_port, default=0, help="port on 127.0.0.1; 0 (the default) takes a free one")
    add("--api-key", default=os.environ.get("PROVIDER_EMULATOR_API_KEY"), help="the only key accepted (default: any)")
    add("--scenario", type=Path, metavar="FILE", help="failures to play, as JSON")
    add("--data", type=Path, metavar="DIR", help="keep files here and leave them at the end (default: temporary)")
    add("--seed", type=int, help="order of output lines and choice of shares (default: 0)")
    add("--service", choices=["openai", "together", "mistral"], help="whose habits it has (default: openai)")
    add("--seconds-per-batch", type=float, metavar="S", help="a batch's whole life (default: 1.5)")
    add("--enqueued-tokens", type=int, metavar="N", help="enqueued prompt tokens allowed per model (default: no limit)")
    add("--prices", type=Path, metavar="FILE", help="bill in dollars by this list, which `make prices` writes")
    add("--sellers", default=MAKERS, metavar="NAMES", help=f"whose prices hold, in this order (default: {MAKERS})")
    add(
        "--aws",
        metavar="URL",
        help="the AWS of this machine whose S3 and event bus Bedrock uses (or POST /_emulator/aws)",
    )
    add("--forward", metavar="URL", help="run lines on this OpenAI-compatible server; key from FORWARD_API_KEY")
    add("--forward-concurrency", type=int, default=8, metavar="N", help="requests at a time (default: 8)")
    add("--forward-timeout", type=float, default=120.0, metavar="S", help="then a line is request_timeout (120)")
    add("--webhook", metavar="URL", help="tell this endpoint when a batch ends")
    add("--webhook-secret", metavar="SECRET", default=os.environ.get("WEBHOOK_SECRET") or new_secret(), help="signs it")
    return parser
