"""What signs requests to a provider that takes no key: an access key, the user's credentials of AWS, or a made-up key."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import boto3

from batch_client import PROFILES, InvalidArgumentError, Profile, choose_profile
from batchyard.adapters.aws import RoleSigner, region_of
from batchyard.providers.keys import ACCESS_KEY
from local.errors import ParameterError, ProviderUnclearError
from local.stack.provider_choice import KEY, Provider

REGION: Final = "us-east-1"  # of an address that names none
OWN: Final = "your credentials of AWS"  # what signs where nothing else is named
MADE_UP: Final = "AKIAOFTHISMACHINE:made-up-for-an-emulator"  # signs where nobody reckons a signature
_TAKEN: Final[dict[str, str]] = {}
_LEAVE_OUT: Final = "ID:SECRET or ID:SECRET:TOKEN. Leave it out to sign with your credentials (docs/providers.md)."
_PARTS: Final = (
    ("AWS_ACCESS_KEY_ID", r"A[KS]IA[A-Z0-9]{8,124}"),
    ("AWS_SECRET_ACCESS_KEY", r"[!-9;-~]{8,200}"),
    ("AWS_SESSION_TOKEN", r"([!-9;-~]{8,4000})?"),
)


def bearer_of(profile: Profile, key: str) -> str:
    """Name the profile that bears a key of the service itself, where `profile` would sign with it; empty if none is meant."""
    bearing = f"{profile.name}-key"
    return bearing if profile.signing and bearing in PROFILES and not re.fullmatch(ACCESS_KEY, key) else ""


def only_of(provider: Provider) -> Provider:
    """Return the only provider with what its requests are made with; raises ParameterError, ProviderUnclearError."""
    profile = choose_profile(provider.profile or None, provider.url)
    if profile.signing is None:
        return provider
    if provider.api_key and (bearing := bearer_of(profile, provider.api_key)):
        return replace(provider, profile=bearing)
    if profile.required_headers:
        raise ProviderUnclearError(
            f"{profile.name} needs the header {profile.required_headers[0]!r}, which only PROVIDERS can name. Describe the "
            "provider there (docs/providers.md)."
        )
    try:
        region_of(provider.url)
    except InvalidArgumentError as error:
        raise ProviderUnclearError(f"{error.message}.") from error
    return signed(provider, provider.api_key)


def signed(provider: Provider, key: str | None) -> Provider:
    """Return a provider whose requests are signed by `key`, or by what there is without one; raises ParameterError."""
    whose = f"the api_key of {provider.name} in PROVIDERS" if provider.name else KEY
    if key and not re.fullmatch(ACCESS_KEY, key):
        raise ParameterError(f"{whose[0].upper()}{whose[1:]} is no access key of AWS, {_LEAVE_OUT}")
    by = whose
    if not key:
        key, by = (MADE_UP, "a made-up access key") if provider.is_here else (_own_key(provider), OWN)
    region = _TAKEN.get("AWS_REGION") or _TAKEN.get("AWS_DEFAULT_REGION") or REGION
    return replace(provider, api_key=key, signer=RoleSigner(lambda: key, region), signed_by=by)


def _own_key(provider: Provider) -> str:
    """Return the access key by which AWS's own tools sign on this machine."""
    with _as_the_user_has_it():
        found = boto3.Session().get_credentials()
    who = provider.name or provider.url
    if found is None:
        raise ParameterError(
            f"{who} is called with signed requests, and there are no credentials of AWS to sign with. Run "
            "aws configure or aws sso login, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    now = found.get_frozen_credentials()
    parts = (now.access_key or "", now.secret_key or "", now.token or "")
    wrong = [name for (name, rule), part in zip(_PARTS, parts, strict=True) if not re.fullmatch(rule, part)]
    if wrong:
        where = "" if found.method == "env" else f" of your credentials of AWS ({found.method})"
        raise ParameterError(
            f"{' and '.join(wrong)}{where} {'is none' if len(wrong) == 1 else 'are none'} of AWS, by which requests to {who} "
            "could be signed. Set what AWS shows for your access key."
        )
    return ":".join(filter(None, parts))


def take_aws_settings() -> None:
    """Take the user's AWS settings out of the environment: no profile and no endpoint may reach the clients of the engine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        _TAKEN[name] = os.environ.pop(name)


@contextmanager
def _as_the_user_has_it() -> Iterator[None]:
    os.environ.update(_TAKEN)
    try:
        yield
    finally:
        for name in _TAKEN:
            os.environ.pop(name, None)
