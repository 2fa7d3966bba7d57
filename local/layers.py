"""Where Python finds the layers: the Makefile names them, and a person who calls Python need not."""

import os
import sys

from local import ROOT

_FOLDERS = [str(ROOT / name) for name in (".", "layers/client", "layers/core")]


def find_layers() -> None:
    """Let this process and its children find the packages of the layers."""
    sys.path[:0] = [folder for folder in _FOLDERS if folder not in sys.path]
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([*_FOLDERS, *(each for each in given if each and each not in _FOLDERS)])
