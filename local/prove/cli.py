"""The command line of `make prove`: the price first, then the word of a person, then the run."""

import argparse
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec

from batchyard.costs.prices import Prices
from local.errors import LocalError, ParameterError, ProviderError
from local.prove.choice import Choice, Place, choose
from local.prove.lines import batches
from local.prove.price import estimate, prices
from local.prove.run import Run
from local.prove.telling import sentences
from local.prove.trial import LABEL
from local.run.provider_check import complaint_of
from local.signals import Stopped, raise_on_signals

_YES, _NO = frozenset({"1", "true", "yes"}), frozenset({"", "0", "false", "no"})
#: What was sent by the time of an error: first nothing, and then only what a look at the key and the address takes.
_NOTHING: Final = "Nothing was sent."
_LISTED: Final = "Only the provider's list of batches was asked for: no batch was made, and nothing is to be paid."


def main(arguments: list[str] | None = None, host: Mapping[str, str] | None = None) -> int:
    """Obey the command line, and return the exit status: 0 if all was done, 1 if not, 2 for a wrong setting."""
    options = _parser().parse_args(arguments)
    raise_on_signals()
    try:
        return _prove(options, os.environ if host is None else host)
    except Stopped as stopped:
        return stopped.status
    except LocalError as error:
        _say(str(error))
        return error.status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.prove", description="Prove a provider by a small paid run.")
    parser.add_argument("--provider", default="", help="one of PROVIDERS, or the profile of the one provider")
    parser.add_argument("--model", default="", help="a cheap model of it")
    parser.add_argument("--bucket", default="", help="your bucket in which Amazon Bedrock reads and writes")
    parser.add_argument("--role", default="", help="the ARN of the role with which it does so")
    parser.add_argument("--yes", default="", help="1 to spend without being asked")
    parser.add_argument("--json", default="", help="1 to have the proof as JSON")
    return parser


def _prove(options: argparse.Namespace, host: Mapping[str, str]) -> int:
    with _ending(_NOTHING):
        yes, as_json = _flag("YES", options.yes), _flag("JSON", options.json)
        place = Place(options.bucket, options.role)
        choice, run = choose(host, options.provider, options.model, place), secrets.token_hex(4)
        jobs = batches(choice.asked, choice.profile.facts, run)
        known = _prices(choice)
        found = estimate(jobs, choice.asked, known)
    with _ending(_LISTED):
        if complaint := complaint_of(choice.provider, _say):
            raise ProviderError(complaint)
        _say(f"{choice.name} ({choice.provider.url}): {choice.asked.model} at {choice.asked.url}. {found.sentence}")
        _ask(yes=yes)
    with choice.client() as client:
        going = Run(choice.speak(client, LABEL), choice, found, _say)
        try:
            going.play(jobs, run, known)
        finally:
            _show(going, as_json=as_json)
    return 1 if going.proof.failed else 0


@contextmanager
def _ending(words: str) -> Iterator[None]:
    """End the text of an error with what was sent until then."""
    try:
        yield
    except LocalError as error:
        raise type(error)(f"{error} {words}") from error


def _prices(choice: Choice) -> Prices:
    try:
        return prices(choice.profile.facts, choice.prices)
    except ValueError as error:
        raise ParameterError(f"BATCHYARD_PRICE_LIST is no list of prices: {error}. See docs/cost.md.") from error


def _ask(*, yes: bool) -> None:
    """Have a person say yes; raises ParameterError for any other word."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ParameterError("Nobody is there to say yes to the price. Set YES=1 to spend it.")
    _say("Type yes to spend it:")
    if sys.stdin.readline().strip().lower() != "yes":
        raise ParameterError("You did not say yes.")


def _show(run: Run, *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(run.proof), indent=1).decode(), flush=True)
    else:
        print("\n".join(sentences(run.proof)), flush=True)


def _flag(name: str, given: str) -> bool:
    if given.lower() not in _YES | _NO:
        raise ParameterError(f"{name} is {given!r}. Set it to 1, or leave it out.")
    return given.lower() in _YES


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
