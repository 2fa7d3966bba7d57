"""Batchyard on one machine: the engine, the provider emulator, and the commands of the Makefile."""

from pathlib import Path

#: The folder of the whole project, in which the Makefile stands.
ROOT = Path(__file__).resolve().parent.parent
