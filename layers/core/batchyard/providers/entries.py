"""What the settings say of each provider: its address, its kind, its limits, and which lines it takes."""

import json
import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from batch_client import InvalidArgumentError
from batchyard.domain import nesting
from batchyard.domain.batch import window_seconds
from batchyard.domain.errors import SettingsError, meant
from batchyard.domain.token_limits import configured_limit
from batchyard.providers.headers import check_headers
from batchyard.providers.urls import check_required, check_urls, profile_of, with_urls
from batchyard.providers.windows import Windows
from batchyard.settings import Limits, Settings

MOST: Final = 20  # providers; reports and metrics name each of them
NAME: Final = r"[a-z0-9][a-z0-9._-]{0,39}"
KEY: Final = "api_key"
ANY: Final = ("*",)


class Entry(Limits, frozen=True, kw_only=True):
    """One provider, as the settings describe it."""

    #: What shards, token ledgers and reports call it.
    name: str
    base_url: str
    #: The name of a profile of `batch_client`; empty if the host of the base URL tells.
    profile: str = ""
    #: Patterns of the names of models that it gets; `*` stands for any characters, and `?` for one.
    models: tuple[str, ...] = ANY
    #: Patterns of the urls of lines that it gets.
    urls: tuple[str, ...] = ANY
    #: Patterns of urls that it never gets, whatever `urls` match, unless these name them: they are those of other services.
    foreign_urls: frozenset[str] = frozenset()
    #: More headers of every call.
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    #: The window of its provider batches; empty for that of each batch.
    completion_window: str = ""
    #: The ARN of the role by which it reads and writes the bucket by itself; empty for that of the stack.
    role: str = ""
    #: The user's own prices for it, as JSON text; empty for those of the stack.
    price_list: str = ""


#: The limits that an entry has from the settings of the stack, unless it names its own.
LIMITS: Final = Limits.__struct_fields__
#: The limits of which 0 would leave no room for any line.
AT_LEAST_ONE: Final = LIMITS[:3]
MEMBERS: Final = (
    "base_url",
    "profile",
    "models",
    "urls",
    "completion_window",
    "role",
    "price_list",
    "headers",
    *LIMITS,
)
ROLE: Final = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]{1,512}"
DESCRIBED: Final = "See docs/providers.md."


def missing(name: str) -> Entry:
    """Describe a provider that the settings name no more, though a shard of a batch does."""
    return Entry(name=name, base_url="")


def entries(settings: Settings) -> list[Entry]:
    """List the providers of the stack, in their order; raises SettingsError where Providers cannot be read.

    Without Providers there is the one at ProviderBaseUrl, whose name is host and port of its address.
    """
    limits = {each: getattr(settings, each) for each in LIMITS}
    if settings.providers:
        return described(settings.providers, limits)
    name = urlsplit(settings.provider_base_url).netloc.rpartition("@")[2].lower()
    only = Entry(name=name, base_url=settings.provider_base_url, profile=settings.provider_profile, **limits)
    try:
        check_required(only)
        _check_region(only)
        return with_urls([only])
    except InvalidArgumentError as error:
        raise SettingsError(f"ProviderProfile: {error.message}.") from error
    except ValueError as error:
        raise SettingsError(f"ProviderProfile: {error}, as only Providers can. {DESCRIBED}") from error


def described(text: str, limits: dict[str, Any] | None = None) -> list[Entry]:
    """Read Providers: a JSON object with a member for each provider; raises SettingsError, which says what is wrong.

    `limits` are those of the stack; without them they are as they come.
    """
    try:
        members: Any = nesting.decode(text)
        json.loads(text, object_pairs_hook=named_once)
    except ValueError as error:
        raise SettingsError(f"Providers is no JSON that can be followed: {error}. {DESCRIBED}") from error
    if not isinstance(members, dict) or not members:
        raise SettingsError(f"Providers must be a JSON object with a member for each provider. {DESCRIBED}")
    if len(members) > MOST:
        raise SettingsError(f"Providers names {len(members)} providers; at most {MOST} are allowed.")
    # What holds for the stack is shared: else several providers could take all of Lambda's concurrency.
    limits = limits if limits is not None else msgspec.structs.asdict(Limits())
    most = limits.get("max_concurrent_submits", 0)
    shared = {**limits, "max_concurrent_submits": max(1, most // len(members)) if most else 0}
    return with_urls([_entry(name, each, shared) for name, each in members.items()])


def named_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of a JSON object; raises ValueError if two of them have one name: lines would go to either."""
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise ValueError(f"{name[:40]!r} is named twice")
        found[name] = value
    return found


def _entry(name: str, members: object, limits: dict[str, Any]) -> Entry:
    where = f"Providers: {name[:40]!r}"
    if not re.fullmatch(NAME, name):
        rule = "is no name of a provider: it has small letters, digits, points, hyphens and underscores, 40 at most"
        raise SettingsError(f"{where} {rule}.")
    if not isinstance(members, dict):
        raise SettingsError(f'{where} must be an object, such as {{"base_url": "https://…/v1"}}. {DESCRIBED}')
    _check_members(where, members)
    given = {**limits, **members}
    if isinstance(headers := members.get("headers"), dict):
        given["headers"] = {name.lower(): value for name, value in headers.items()}
    if isinstance(own := members.get("price_list"), dict):
        given["price_list"] = nesting.encode(own)
    if isinstance(given["max_enqueued_tokens"], int):
        given["max_enqueued_tokens"] = str(given["max_enqueued_tokens"])
    try:
        entry = msgspec.convert({**given, "name": name}, Entry)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {error}. {DESCRIBED}") from error
    _check_values(where, entry)
    return entry


def has_key(entry: Entry) -> bool:
    """Tell whether a provider is called with a key: some take the role of the function."""
    return profile_of(entry).signing is None


def _check_members(where: str, members: dict[str, Any]) -> None:
    if KEY in members:
        raise SettingsError(
            f"{where} holds a key. Take it out: keys are stored by make providers, and stand in no setting."
        )
    for member in members:
        if member not in MEMBERS:
            near = meant(member, MEMBERS)
            hint = f"Did you mean {near!r}?" if near else f"There are: {', '.join(MEMBERS)}."
            raise SettingsError(f"{where} has the unknown member {member[:40]!r}. {hint}")
    for member, example in (("models", '["gpt-*"]'), ("urls", '["/v1/embeddings"]')):
        found = members.get(member, [])
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise SettingsError(f"{where}: {member} must be a list of names or patterns, such as {example}.")
    if "base_url" not in members:
        raise SettingsError(f"{where} has no 'base_url', the address of its API, such as https://api.openai.com/v1.")


def _check_values(where: str, entry: Entry) -> None:
    """Raise SettingsError for a value that would fail once something is to be sent."""
    address = urlsplit(entry.base_url)
    if address.scheme not in {"http", "https"} or not address.hostname or "@" in address.netloc:
        raise SettingsError(f"{where}: base_url must begin with https:// and name a host, without a user or a key.")
    if not entry.models or not entry.urls or "" in entry.models + entry.urls:
        raise SettingsError(f"{where}: models and urls are lists of names or patterns; leave them out for all.")
    for name in LIMITS:
        least = 1 if name in AT_LEAST_ONE else 0
        if isinstance(value := getattr(entry, name), int) and value < least:
            raise SettingsError(f"{where}: {name} must be at least {least}, not {value}.")
    if entry.role and not re.fullmatch(ROLE, entry.role):
        raise SettingsError(f"{where}: role must be the ARN of a role, such as arn:aws:iam::123456789012:role/batches.")
    try:
        _check_role(entry)
        check_urls(entry)
        check_headers(entry.headers)
        check_required(entry)
        _check_window(entry)
        _check_region(entry)
        configured_limit(entry.max_enqueued_tokens, "")
        _check_prices(entry.price_list)
    except InvalidArgumentError as error:
        raise SettingsError(f"{where}: {error.message}.") from error
    except ValueError as error:
        raise SettingsError(f"{where}: {error}. {DESCRIBED}") from error


def _check_window(entry: Entry) -> None:
    """Raise ValueError for a window of its own that the service does not have."""
    if entry.completion_window:
        facts = profile_of(entry).facts
        window_seconds(entry.completion_window)
        windows = Windows(facts.windows or None, facts.windows_between)
        if not windows.take(entry.completion_window):
            raise ValueError(f"completion_window must be {windows.told()}, not '{entry.completion_window}'")


def _check_role(entry: Entry) -> None:
    """Raise ValueError for a role that nobody would take."""
    profile = profile_of(entry)
    if entry.role and not profile.reads_objects:
        raise ValueError(
            f"role is for a service that reads and writes the bucket by itself; {profile.name} does not. Take it out"
        )


def _check_region(entry: Entry) -> None:
    """Raise InvalidArgumentError where requests are signed, and the address names no region to sign them for."""
    if profile_of(entry).signing is not None:
        from batchyard.adapters.aws import region_of  # noqa: PLC0415 - few stacks sign, and most functions load none

        region_of(entry.base_url)


def _check_prices(text: str) -> None:
    if text:
        from batchyard.costs.prices import read_own  # noqa: PLC0415 - few entries have prices, and most functions load none

        try:
            read_own(text)
        except ValueError as error:
            raise ValueError(f"price_list: {error}") from error
