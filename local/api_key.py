"""Make an API key with the core layer's own code."""

import sys
from importlib import import_module

from local.parts import ROOT


def api_key(table: str, tenant: str) -> str:
    """Return a new API key of `tenant`, recorded in `table` of the AWS that the environment names."""
    for layer in ("core", "client"):
        path = str(ROOT / "layers" / layer)
        if path not in sys.path:
            sys.path.append(path)
    key: str = import_module("batchyard.api_keys").create(table, tenant)
    return key
