"""The command line of the bridge: everything comes from the environment, so that no key stands in a list of processes."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

import requests

from local.bridge.connection import Bridge
from local.bridge.errors import FarSideError
from local.bridge.far_side import FarSide
from local.bridge.server import Server

_FOLDER = Path(".cache") / "bridge"
_HIGHEST_PORT = 65_535
_WRONG_KEY = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class UnusableError(Exception):
    """A variable, the key or the address cannot be used; the text says what to do."""


def main() -> int:
    """Serve until Ctrl-C or SIGTERM, and return the exit status: 2 if a variable is wrong, 1 if Batchyard does not answer."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        port, far_side = _given(os.environ)
        _FOLDER.mkdir(parents=True, exist_ok=True)
        server = Server(port, Bridge(far_side, _FOLDER, _say))
        _check(far_side)
    except UnusableError as error:
        _say(str(error))
        return 2
    except FarSideError as error:
        _say(f"{error} BATCHYARD_URL is the address of the API, as the stack's output ApiUrl has it.")
        return 1
    except OSError as error:
        _say(f"Port {port} of 127.0.0.1 cannot be used: {error.strerror}.")
        return 2
    except KeyboardInterrupt:
        return 130
    return _serve(server)


def _serve(server: Server) -> int:
    with server:
        print(json.dumps({"base_url": f"http://127.0.0.1:{server.server_address[1]}/v1"}), flush=True)
        _say("The bridge is up; Ctrl-C ends it. Give your tool this address, and any key.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            _say("The bridge has ended.")
    return 0


def _given(environment: Mapping[str, str]) -> tuple[int, FarSide]:
    url, key, port = (environment.get(name, "").strip() for name in ("BATCHYARD_URL", "BATCHYARD_KEY", "BRIDGE_PORT"))
    if not url or not key:
        raise UnusableError(
            "Set BATCHYARD_URL to the address of the API, and BATCHYARD_KEY to a key that `make key` printed."
        )
    if port and not (port.isdecimal() and port.isascii() and int(port) <= _HIGHEST_PORT):
        raise UnusableError(f"BRIDGE_PORT must be a port, from 1 to {_HIGHEST_PORT}; without it a free one is taken.")
    try:
        return int(port or 0), FarSide(url, key)
    except ValueError as error:
        raise UnusableError(str(error)) from error


def _check(far_side: FarSide) -> None:
    with far_side.call("GET", "/v1/batches?limit=1") as response:
        if response.status_code in _WRONG_KEY:
            raise UnusableError("Batchyard refuses the key in BATCHYARD_KEY.")
        if response.status_code == HTTPStatus.NOT_FOUND or (response.ok and not _is_list(response)):
            raise UnusableError("At BATCHYARD_URL no batch API answers.")


def _is_list(response: requests.Response) -> bool:
    try:
        answer = response.json()
    except requests.JSONDecodeError:
        return False
    return isinstance(answer, dict) and isinstance(answer.get("data"), list)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
