"""Several providers as a person describes them: read, checked, and parted into a description and the keys.

`make run` and `make up` take the description from PROVIDERS, which is JSON or names a file. `make providers` stores the keys
in the secret of a stack on AWS, and says what the parameter Providers must be. No key is ever printed.
"""

import getpass
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import boto3

from batch_client import InvalidArgumentError, choose_profile
from batchyard.adapters.aws import translated
from batchyard.domain.errors import BatchyardError, NotFound, SettingsError
from batchyard.providers.entries import KEY, Entry, described, has_key, named_once
from batchyard.providers.keys import PLAIN, read_keys
from local.credentials import bearer_of, signed
from local.errors import ParameterError
from local.provider_key import ADVICE, secret_of
from local.provider_key import KEY as KEY_KIND
from local.stack.provider_choice import KEY as OWN_KEY
from local.stack.provider_choice import NO_KEY, URL, Provider, Several

VARIABLE: Final = "PROVIDERS"
OF_STACK: Final = "BATCHYARD_PROVIDERS"
SHAPE: Final = '{"openai": {"base_url": "https://api.openai.com/v1", "api_key": "…", "models": ["gpt-*"]}}'


def read_description(text: str) -> tuple[str, list[Entry], dict[str, str]]:
    """Part a description with keys into one without keys, its entries, and the keys by name; raises ParameterError.

    `text` is JSON, or the path of a file that holds some.
    """
    if not text.lstrip().startswith(("{", "[")):
        try:
            text = Path(text).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ParameterError(
                f"{VARIABLE} names no file that can be read. Write its path, or JSON: {SHAPE}"
            ) from error
    try:
        members: Any = json.loads(text, object_pairs_hook=named_once)
    except ValueError as error:
        raise ParameterError(f"{VARIABLE} is no JSON that can be followed: {error}. Write it so: {SHAPE}") from error
    keys: dict[str, str] = {}
    for name, each in members.items() if isinstance(members, dict) else ():
        if isinstance(each, dict) and KEY in each:
            keys[name] = each.pop(KEY)
            if not isinstance(keys[name], str) or not re.fullmatch(PLAIN, keys[name]):
                raise ParameterError(f"{VARIABLE}: the api_key of {name[:40]!r} must be plain text without spaces.")
            _take_as_bearer(each, keys[name])
    bare = json.dumps(members, separators=(",", ":"), ensure_ascii=False)
    try:
        found = described(bare)
    except SettingsError as error:
        raise ParameterError(str(error).replace("Providers", VARIABLE, 1)) from error
    return bare, found, keys


def _take_as_bearer(entry: dict[str, Any], key: str) -> None:
    """Choose the profile that bears a key of the service itself, where the one of an entry would sign with it."""
    try:
        profile = choose_profile(entry.get("profile") or None, str(entry.get("base_url", "")))
    except InvalidArgumentError:
        return  # told with the other faults of the entry
    if bearing := bearer_of(profile, key):
        entry["profile"] = bearing


def several_of(host: Mapping[str, str]) -> Several | None:
    """Return the providers that the environment names; None if it names none, or one alone. Raises ParameterError."""
    text = host.get(VARIABLE) or host.get(OF_STACK)
    if not text:
        return None
    if any(host.get(name) or host.get(f"BATCHYARD_{name}") for name in (URL, OWN_KEY)):
        raise ParameterError(
            f"{VARIABLE} and {URL} are both set. Set the one for several providers, or the other for one."
        )
    bare, found, keys = read_description(text)
    if missing := [entry.name for entry in found if has_key(entry) and entry.name not in keys]:
        raise ParameterError(f"{VARIABLE}: {', '.join(missing)} has no api_key. Add it, as in {SHAPE}")
    return Several(bare, tuple(_provider(each, keys.get(each.name)) for each in found))


def _provider(entry: Entry, key: str | None) -> Provider:
    provider = Provider(entry.base_url, key or NO_KEY, entry.profile, entry.name, entry.headers)
    return provider if has_key(entry) else signed(provider, key)


def without(host: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what names several providers."""
    return {name: value for name, value in host.items() if name not in {VARIABLE, OF_STACK}}


def stored_keys(secret: str) -> dict[str, str]:
    """Read the keys that a secret holds; none if it is empty, or holds the key of one provider alone. Raises BatchyardError."""
    try:
        with translated(f"reading {secret}"):
            text = _client(secret).get_secret_value(SecretId=secret)["SecretString"]
        return read_keys(text)
    except (NotFound, ValueError):
        return {}


def store(secret: str, keys: Mapping[str, str]) -> None:
    """Store the keys in the secret; raises BatchyardError."""
    with translated(f"storing them in {secret}"):
        _client(secret).put_secret_value(SecretId=secret, SecretString=json.dumps(dict(keys)))


def _client(secret: str) -> Any:  # noqa: ANN401 - boto3's own
    return boto3.client("secretsmanager", region_name=secret.split(":")[3] if secret.startswith("arn:") else None)


def _description() -> str:
    if named := os.environ.get(VARIABLE):
        return named
    if sys.stdin.isatty() or not (text := sys.stdin.read()).strip():
        raise ParameterError(f"Name the description of the providers: make providers {VARIABLE}=providers.json")
    return text


def _asked(found: list[Entry], known: Mapping[str, str]) -> dict[str, str]:
    """Ask a terminal for the keys that are neither described nor stored; nothing is asked for in a pipe."""
    if not sys.stdin.isatty():
        return {}
    left = [entry.name for entry in found if has_key(entry) and entry.name not in known]
    given = {name: getpass.getpass(f"API key of {name} (not shown; empty: later): ").strip() for name in left}
    return read_keys(json.dumps({name: key for name, key in given.items() if key}))


def keep(stack: str, secret: str) -> str:
    """Store the keys of the providers that are described, and return what to print; raises ParameterError, BatchyardError.

    Without a `secret` it is that of the stack, for which AWS is asked once the description is read.
    """
    bare, found, given = read_description(_description())
    secret = secret or secret_of(stack, KEY_KIND)
    known = {**stored_keys(secret), **given}
    known |= _asked(found, known)
    names = [entry.name for entry in found]
    store(secret, {name: known[name] for name in names if name in known})
    without_key = [entry.name for entry in found if has_key(entry) and entry.name not in known]
    waits = f" No key is stored of: {', '.join(without_key)}. Their requests wait for one." if without_key else ""
    return (
        f"Keys stored of: {', '.join(name for name in names if name in known)}.{waits}\n"
        "The stack knows these providers once its parameter Providers is this line (sam deploy --parameter-overrides):\n"
        f"{bare}"
    )


def listed(secret: str) -> str:
    """Return the names of the providers whose keys a secret holds, without the keys; raises BatchyardError."""
    names = sorted(stored_keys(secret))
    return "\n".join(names) if names else "No keys of several providers are stored."


def main(stack: str, secret: str, *flags: str) -> str:
    """Do what the command line asks and return what to print; what is wrong becomes the exit's one sentence."""
    undone = "Nothing was read" if flags else "Nothing was stored"
    try:
        return listed(secret or secret_of(stack, KEY_KIND)) if flags else keep(stack, secret)
    except (EOFError, KeyboardInterrupt):
        sys.exit(f"\n{undone}.")
    except ParameterError as error:
        sys.exit(f"{undone}: {error}")
    except ValueError:
        sys.exit(f"{undone}: a key must be plain text without spaces.")
    except BatchyardError as error:
        told = f"{undone}: {str(error).rstrip('.')}."
        sys.exit(f"{told} {ADVICE}" if error.__cause__ else told)


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:]) + "\n")
