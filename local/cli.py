"""Run Batchyard on this machine: `python -m local run [--input FILE] [--out FOLDER]`, `… up` or `… status`."""

import argparse
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from batchyard.acceptance.rules import of_setting
from batchyard.costs.prices import read_own
from batchyard.domain.errors import SettingsError
from local.credentials import only_of, take_aws_settings
from local.errors import DiskFullError, LocalError, ParameterError
from local.providers import several_of, without
from local.run.announce import Announcer
from local.run.cancel_all import cancel_all, kept_sentence
from local.run.disk_space import check_disk_space, check_room_for_results
from local.run.money import Money, money_from
from local.run.one_batch import run_batch
from local.run.out_folder import name_earlier_results, settled
from local.run.paths import SAMPLE, check_paths, choose_paths
from local.run.provider_check import check_provider
from local.run.status import show_status
from local.signals import Stopped, end_with_parent, hurried_by_ctrl_c, ignore_signals, raise_on_signals
from local.stack.deploy import TEMPLATE, read_template
from local.stack.provider_choice import Provider
from local.stack.run_folder import run_folder
from local.stack.running import Stack
from local.stack.settings import Settings, settings_from
from local.stack.start import start_stack
from local.stack.up import keep_up


def main(arguments: list[str] | None = None) -> int:
    """Obey the command line, and return the exit status, which docs/local.md explains."""
    options = _parser().parse_args(arguments)
    raise_on_signals()
    take_aws_settings()
    threading.Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
    return _attempt(lambda: options.command(options))


def _attempt(work: Callable[[], int]) -> int:
    """Do the work, and return the exit status; the message of a failure is printed."""
    try:
        return work()
    except Stopped as stopped:
        return stopped.status
    except LocalError as error:
        _say(str(error))
        return error.status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="Batchyard on this machine.")
    commands = parser.add_subparsers(required=True, metavar="run|up|status")
    one = commands.add_parser("run", help="one batch, end to end")
    one.add_argument("--input", help=f"a JSONL file of batch requests; without it, and with the emulator, {SAMPLE}")
    one.add_argument("--out", default="out", help="the folder for the results")
    one.set_defaults(command=_run)
    whole = commands.add_parser("up", help="the whole stack until Ctrl-C")
    whole.set_defaults(command=_up)
    status = commands.add_parser("status", help="the batches of the stack that is up")
    status.set_defaults(command=_status)
    return parser


def _run(options: argparse.Namespace) -> int:
    settings = _settings()
    money = money_from(os.environ)
    source, out = choose_paths(options.input, options.out, settings.own, os.environ)
    check_paths(source, out)
    with name_earlier_results(out, _say):
        return _attempt(lambda: _one_batch(settings, settled(source), out, money))


def _one_batch(settings: Settings, source: Path, out: Path, money: Money) -> int:
    _check_providers(settings)
    with run_folder() as folder:  # it has removed the scratch space of killed runs
        check_disk_space(source.stat().st_size, _say)
        check_room_for_results(out, source.stat().st_size, _say)
        with start_stack(folder, without(os.environ), _say, settings.deleting_late()) as stack:
            try:
                return _run_or_stop(stack, source, out, money)
            except DiskFullError as error:
                _say(str(error))
                _cancel_all(stack)
                _say(kept_sentence(stack))
                return error.status


def _run_or_stop(stack: Stack, source: Path, out: Path, money: Money) -> int:
    try:
        return run_batch(stack, source, out, _say, money)
    except Stopped as stopped:
        _cancel_all(stack, out if stopped.patient else None)
        raise


def _up(_options: argparse.Namespace) -> int:
    settings = _settings()
    _check_providers(settings)
    with run_folder() as folder, start_stack(folder, without(os.environ), _say, settings) as stack:
        try:
            keep_up(stack, Announcer(stack, _say).look)
        except Stopped:
            _say("Ending the stack …")
            _cancel_all(stack)
    return 0


def _status(_options: argparse.Namespace) -> int:
    show_status(os.environ)
    return 0


def _check_providers(settings: Settings) -> None:
    for provider in settings.own.each if settings.own else ():
        check_provider(provider, _say)


def _settings() -> Settings:
    several = several_of(os.environ)
    settings = settings_from(read_template(TEMPLATE), without(os.environ))
    own = several or (only_of(settings.own) if isinstance(settings.own, Provider) else settings.own)
    settings = replace(settings, own=own)
    try:  # the template knows only that these are JSON
        read_own(settings.values.get("PriceList", ""))
        of_setting(settings.values.get("Accept", ""))
    except ValueError as error:
        raise ParameterError(f"BATCHYARD_PRICE_LIST is no list of prices: {error}. See docs/cost.md.") from error
    except SettingsError as error:
        raise ParameterError(f"BATCHYARD_ACCEPT: {error}") from error
    if settings.advice:
        _say(settings.advice)
    return settings


def _cancel_all(stack: Stack, out: Path | None = None) -> None:
    if stack.own is None:
        return
    if out is not None:  # a second Ctrl-C takes what is there
        with hurried_by_ctrl_c() as hurry:
            cancel_all(stack, stack.own, _say, out, hurry)
        return
    raise_on_signals()  # a second Ctrl-C ends at once
    try:
        cancel_all(stack, stack.own, _say)
    finally:
        ignore_signals()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
