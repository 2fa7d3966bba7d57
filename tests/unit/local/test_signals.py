"""Ctrl-C while the program is still being read."""

import ast
import signal
import subprocess
import sys

import pytest

from local import ROOT

# Naps, as a signal just before a read that blocks is only handled after it.
CODE = """
import time
from local.signals import exit_on_signals
exit_on_signals()
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_program_at_once_and_without_a_word(number: signal.Signals) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", CODE], cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe) as process:  # noqa: S603 - our own program
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(30) == 128 + number
        assert process.stderr.read() == b""


def test_nothing_slow_is_read_before_signals_are_heard() -> None:
    tree = ast.parse((ROOT / "local/__main__.py").read_text(encoding="utf-8"))
    imported = {ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)}
    assert imported == {"import sys", "from local.signals import exit_on_signals"}


HURRY = """
import sys, time
from local.signals import Stopped, hurried_by_ctrl_c
try:
    with hurried_by_ctrl_c() as hurry:
        print("ready", flush=True)
        hurry.nap(30)
        print(f"asked {hurry.asked}", flush=True)
        while True:
            time.sleep(0.05)
except Stopped as stopped:
    sys.exit(stopped.status)
"""


def test_a_second_ctrl_c_hurries_with_a_sentence_and_one_more_ends() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HURRY], cwd=ROOT, stdout=pipe, stderr=pipe) as process:  # noqa: S603 - our own program
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"asked True\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read().strip() == (
            b"Hurrying: what is there is still written, and then this ends. Ctrl-C once more ends at once, without it."
        )
