"""Make an API key by the program of the core layer."""

import os
import subprocess
import sys

from local import ROOT
from local.engine import client_environment
from local.errors import LocalError


def make_api_key(endpoint_url: str, table: str, tenant: str) -> str:
    """Make an API key of `tenant` in `table` of the engine at `endpoint_url`, and return the key.

    Raises:
        LocalError: the program failed; its message is in the text.

    """
    layers = os.pathsep.join(str(ROOT / "layers" / name) for name in ("client", "core"))
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": layers, **client_environment(endpoint_url)}
    command = [sys.executable, "-m", "batchyard.api.api_keys", table, tenant, "--admin"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"No API key could be made:\n{done.stderr.strip()}")
    return done.stdout.strip()
