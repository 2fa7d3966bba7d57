"""Which provider is proven, with which model; the settings are those of `make run`."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from batch_client import BatchClient, Dialect, InvalidArgumentError, Profile, RequestSigner, choose_profile, speak
from batchyard.adapters.aws import RoleSigner
from batchyard.adapters.bucket import Bucket
from batchyard.domain.object_keys import provider_folder
from batchyard.providers.entries import ROLE, described
from batchyard.providers.objects import BucketFolder
from local.credentials import OWN, only_of
from local.errors import ParameterError
from local.prove.lines import CHEAP, Asked, asked_of
from local.providers import several_of
from local.stack.provider_choice import KEY, URL, Provider, Several, named_provider

_WILD: Final = "*?["
_PROFILE, _PRICES = "BATCHYARD_PROVIDER_PROFILE", "BATCHYARD_PRICE_LIST"
_FOLDER: Final = provider_folder("prove")  # among those that the role of a stack may read and write
_HOW: Final = f"Set {URL} and {KEY}, or PROVIDERS and PROVIDER, the name of one of them."


class Place(NamedTuple):
    """Where a service that reads and writes objects by itself does so, and as whom."""

    bucket: str = ""
    role: str = ""


class Choice(NamedTuple):
    """What is proven."""

    provider: Provider
    name: str
    profile: Profile
    asked: Asked
    window: str
    #: The user's own prices, as JSON text; empty for the list of the package.
    prices: str
    place: Place

    @property
    def key(self) -> str | RequestSigner:
        """The key of the provider, or what signs in its place: your own credentials are renewed while a run lasts."""
        signer = RoleSigner() if self.provider.signed_by == OWN else self.provider.signer
        return signer or self.provider.api_key

    def client(self) -> BatchClient:
        """Return a client of the provider."""
        return BatchClient(self.key, self.provider.url, profile=self.profile, headers=self.provider.headers)

    def speak(self, client: BatchClient, label: str) -> Dialect:
        """Return the dialect of the provider, with the objects that it reads and writes by itself."""
        bucket, role = self.place
        objects = BucketFolder(lambda: Bucket(bucket), _FOLDER, role) if self.profile.reads_objects else None
        return speak(client, label, objects)


def choose(host: Mapping[str, str], wanted: str, model: str, place: Place = Place()) -> Choice:  # noqa: B008 - immutable
    """Choose by the environment and the words of the command; raises ParameterError, ProviderUnclearError."""
    several = several_of(host)
    if several is not None:
        return _of_several(several, host, wanted, model, place)
    named = named_provider(host)
    if named is None:
        raise ParameterError(f"No provider is named. {_HOW}")
    with _profile_told():
        provider = only_of(Provider(*named, wanted or host.get(_PROFILE, "")))
    return _choice(provider, host, model, place)


def _of_several(several: Several, host: Mapping[str, str], wanted: str, model: str, place: Place) -> Choice:
    names = ", ".join(provider.name for provider in several.each)
    provider = several.named(wanted) if wanted or len(several.each) == 1 else None
    if provider is None:
        which = f"PROVIDER is {wanted!r}, which is none of PROVIDERS" if wanted else "PROVIDER names none of PROVIDERS"
        raise ParameterError(f"{which}. There are: {names}.")
    entry = next(each for each in described(several.described) if each.name == provider.name)
    exact = next((each for each in entry.models if not any(sign in each for sign in _WILD)), "")
    prices = {_PRICES: entry.price_list} if entry.price_list else {}
    place = place._replace(role=place.role or entry.role)
    return _choice(provider, {**host, **prices}, model or exact, place, entry.completion_window)


def _choice(provider: Provider, host: Mapping[str, str], model: str, place: Place, window: str = "") -> Choice:
    with _profile_told():
        profile = choose_profile(provider.profile or None, provider.url)
    _check_place(profile, place)
    sellers = profile.facts.sellers  # of a gateway, nobody knows which of them it has
    model = model or (CHEAP.get(sellers[0], "") if len(sellers) == 1 else "")
    if not model:
        raise ParameterError("Name a model of the provider, a cheap one that it takes in batches: MODEL=…")
    window = window or (profile.facts.windows or ("24h",))[0]
    asked = asked_of(profile, model)
    return Choice(provider, provider.name or profile.name, profile, asked, window, host.get(_PRICES, ""), place)


@contextmanager
def _profile_told() -> Iterator[None]:
    try:
        yield
    except InvalidArgumentError as error:
        raise ParameterError(f"PROVIDER or {_PROFILE} names no profile: {error.message}.") from error


def _check_place(profile: Profile, place: Place) -> None:
    """Raise ParameterError if a service would find no objects: before a price is said, or anything is sent."""
    if profile.reads_objects and not (place.bucket and re.fullmatch(ROLE, place.role)):
        raise ParameterError(
            f"{profile.title} reads its inputs in a bucket of yours by itself. Name the bucket, and the ARN of the role with "
            "which it comes: BUCKET=… ROLE=arn:aws:iam::…:role/…"
        )
