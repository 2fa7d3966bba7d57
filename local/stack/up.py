"""Keep the stack running, and print where programs reach it."""

import json
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import requests

from local.engine import CREDENTIALS, REGION
from local.stack.api_key import make_api_key
from local.stack.door import open_doors
from local.stack.mailbox import Mailbox
from local.stack.running import TENANT, Stack

_COMMAND = ".venv/bin/batchyard"
_SAMPLE = Path("local/requests.jsonl")
_CHECK_SECONDS = 0.3
_WARM_SECONDS = 10.0


def keep_up(stack: Stack, look: Callable[[], None]) -> None:
    """Print one JSON line with the addresses of the stack, then watch its processes until this one is stopped.

    The addresses are in the folder of the run meanwhile, for `make status`.
    `look` is called now and then, for whoever tells of the batches.

    Raises:
        ProcessEnded: a process of the stack ended by itself.

    """
    api_key = make_api_key(stack.endpoint_url, stack.table, TENANT)
    _warm_up(stack, api_key)
    mailbox = Mailbox(stack, lambda text: print(text, file=sys.stderr, flush=True))
    doors = addresses(stack, api_key)
    with open_doors(stack.folder, doors):
        print(json.dumps(doors), flush=True)
        print(_guide(stack, api_key), file=sys.stderr, flush=True)
        while True:
            stack.check()
            look()
            mailbox.look()
            time.sleep(_CHECK_SECONDS)


def _warm_up(stack: Stack, api_key: str) -> None:
    """Ask the HTTP API once, so that the user's first request need not wait until its function has started."""
    with suppress(requests.RequestException):  # the user's own request shows what is wrong
        requests.get(f"{stack.base_url}/batches", headers={"Authorization": f"Bearer {api_key}"}, timeout=_WARM_SECONDS)


def _guide(stack: Stack, api_key: str) -> str:
    access = f"AWS_ACCESS_KEY_ID={CREDENTIALS.access_key_id} AWS_SECRET_ACCESS_KEY={CREDENTIALS.secret_access_key}"
    inbox = f"s3://{stack.bucket}/inbox/{TENANT}/"
    return (
        "The stack is up; Ctrl-C ends it. In another terminal, the command of docs/cli.md reaches it so:\n"
        f"  export BATCHYARD_URL={stack.base_url}\n"
        f"  export BATCHYARD_KEY={api_key}\n"
        f"  {same_command(_SAMPLE, Path('answers'))}\n"
        "AWS's own clients reach it so:\n"
        f"  {access} AWS_DEFAULT_REGION={REGION} aws --endpoint-url {stack.endpoint_url} s3 cp mine.jsonl {inbox}\n"
        f"  AWS_ENDPOINT_URL={stack.endpoint_url} {access} AWS_DEFAULT_REGION={REGION} make key TABLE={stack.table}\n"
        f"(the second makes another API key), and OpenAI's with base_url={stack.base_url} and the api_key above.\n"
        f"In a browser, {stack.console_url} shows the batches (it asks for the api_key); in another terminal, make status does."
    )


def same_command(source: Path, out: Path) -> str:
    """Return the command of people that runs a file of requests."""
    return shlex.join([_COMMAND, "run", str(source), "--out", f"{out}/"])


def addresses(stack: Stack, api_key: str) -> dict[str, str]:
    """Return where the stack is reached, with the API key that goes with the HTTP API."""
    return {
        "base_url": stack.base_url,
        "api_key": api_key,
        "console_url": stack.console_url,
        "endpoint_url": stack.endpoint_url,
        "bucket": stack.bucket,
        "inbox": f"s3://{stack.bucket}/inbox/{TENANT}/",
        "table": stack.table,
        "state_machine": stack.outputs["StateMachineArn"],
        "provider_url": stack.provider_url,
    }
