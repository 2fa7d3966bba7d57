"""Which provider is proven, with which model; the settings are those of `make run`."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from batch_client import BatchClient, InvalidArgumentError, Profile, choose_profile
from batchyard.adapters.aws import RoleSigner
from batchyard.providers.entries import described
from local.errors import ParameterError
from local.prove.lines import CHEAP, Asked, asked_of
from local.providers import several_of
from local.stack.provider_choice import KEY, URL, Provider, Several, named_provider

_WILD: Final = "*?["
_PROFILE, _PRICES = "BATCHYARD_PROVIDER_PROFILE", "BATCHYARD_PRICE_LIST"
_HOW: Final = f"Set {URL} and {KEY}, or PROVIDERS and PROVIDER, the name of one of them."


class Choice(NamedTuple):
    """What is proven."""

    provider: Provider
    name: str
    profile: Profile
    asked: Asked
    window: str
    #: The user's own prices, as JSON text; empty for the list of the package.
    prices: str

    def client(self) -> BatchClient:
        """Return a client of the provider."""
        key = self.provider.api_key if self.profile.signing is None else RoleSigner()
        return BatchClient(key, self.provider.url, profile=self.profile, headers=self.provider.headers)


def choose(host: Mapping[str, str], wanted: str, model: str) -> Choice:
    """Choose by the environment and the words of the command; raises ParameterError, ProviderUnclearError."""
    several = several_of(host)
    if several is not None:
        return _of_several(several, host, wanted, model)
    named = named_provider(host)
    if named is None:
        raise ParameterError(f"No provider is named. {_HOW}")
    return _choice(Provider(*named, wanted or host.get(_PROFILE, "")), host, model)


def _of_several(several: Several, host: Mapping[str, str], wanted: str, model: str) -> Choice:
    names = ", ".join(provider.name for provider in several.each)
    provider = several.named(wanted) if wanted or len(several.each) == 1 else None
    if provider is None:
        which = f"PROVIDER is {wanted!r}, which is none of PROVIDERS" if wanted else "PROVIDER names none of PROVIDERS"
        raise ParameterError(f"{which}. There are: {names}.")
    entry = next(each for each in described(several.described) if each.name == provider.name)
    exact = next((each for each in entry.models if not any(sign in each for sign in _WILD)), "")
    prices = {_PRICES: entry.price_list} if entry.price_list else {}
    return _choice(provider, {**host, **prices}, model or exact, entry.completion_window)


def _choice(provider: Provider, host: Mapping[str, str], model: str, window: str = "") -> Choice:
    try:
        profile = choose_profile(provider.profile or None, provider.url)
    except InvalidArgumentError as error:
        raise ParameterError(f"PROVIDER or {_PROFILE} names no profile: {error.message}.") from error
    sellers = profile.facts.sellers  # of a gateway, nobody knows which of them it has
    model = model or (CHEAP.get(sellers[0], "") if len(sellers) == 1 else "")
    if not model:
        raise ParameterError("Name a model of the provider, a cheap one that it takes in batches: MODEL=…")
    window = window or (profile.facts.windows or ("24h",))[0]
    asked = asked_of(profile, model)
    return Choice(provider, provider.name or profile.name, profile, asked, window, host.get(_PRICES, ""))
