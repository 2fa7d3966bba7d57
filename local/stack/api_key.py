"""Make an API key with the core layer's own program."""

import os
import subprocess
import sys

from local import ROOT
from local.engine import client_environment
from local.errors import LocalError


def api_key(endpoint_url: str, table: str, tenant: str) -> str:
    """Return a new API key of `tenant`, recorded in `table` of the engine at `endpoint_url`.

    Raises:
        LocalError: the core layer's program failed; its words are in the text.

    """
    layers = os.pathsep.join(str(ROOT / "layers" / name) for name in ("client", "core"))
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": layers, **client_environment(endpoint_url)}
    command = [sys.executable, "-m", "batchyard.api.api_keys", table, tenant]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"No API key could be made:\n{done.stderr.strip()}")
    return done.stdout.strip()
