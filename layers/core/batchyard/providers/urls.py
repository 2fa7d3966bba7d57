"""Which urls of lines a provider may get at all: those that its service can take, whatever patterns the settings have."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from batch_client import OPENAI_URLS, PROFILES, Profile, choose_profile

if TYPE_CHECKING:
    from batchyard.providers.entries import Entry


def profile_of(entry: "Entry") -> Profile:
    """Return the profile of a provider, the one that is set, or that of its host; raises InvalidArgumentError."""
    return choose_profile(entry.profile or None, entry.base_url)


def check_urls(entry: "Entry") -> None:
    """Raise ValueError for a url that the service cannot take."""
    profile = profile_of(entry)
    facts = profile.facts
    for pattern in entry.urls:
        if facts.endpoints_alone and not any(fnmatchcase(url, pattern) for url in facts.endpoints):
            raise ValueError(f"urls: {profile.name} takes {', '.join(facts.endpoints)} alone, and not {pattern[:64]!r}")
        foreign = () if facts.any_url else _of_others(profile, PROFILES.values())
        if any(pattern == url or fnmatchcase(pattern, url) for url in foreign):
            raise ValueError(f"urls: {profile.name} does not take {pattern!r}, which is a url of another service")


def check_required(entry: "Entry") -> None:
    """Raise ValueError for a header that the service needs and that the settings do not name."""
    profile = profile_of(entry)
    if missing := [name for name in profile.required_headers if name not in entry.headers]:
        raise ValueError(f"{profile.name} needs the header {missing[0]!r}: name it in headers")


def with_urls(entries: Iterable["Entry"]) -> list["Entry"]:
    """Return the providers with the urls that their services can take; raises InvalidArgumentError for an unknown profile.

    A gateway may take any, but those of a service that is among the providers only if it names them.
    """
    known = [(entry, profile_of(entry)) for entry in entries]
    there = [profile for _, profile in known]
    return [_narrowed(entry, profile, there) for entry, profile in known]


def _narrowed(entry: "Entry", profile: Profile, there: Iterable[Profile]) -> "Entry":
    if profile.facts.endpoints_alone:
        endpoints = profile.facts.endpoints
        urls = tuple(url for url in endpoints if any(fnmatchcase(url, pattern) for pattern in entry.urls))
        return msgspec.structs.replace(entry, urls=urls)
    others = _of_others(profile, there if profile.facts.any_url else PROFILES.values())
    return msgspec.structs.replace(entry, foreign_urls=others.difference(entry.urls))


def _of_others(profile: Profile, profiles: Iterable[Profile]) -> frozenset[str]:
    """Return the urls that some of the services take beside OpenAI's, and this one does not."""
    known = frozenset(url for each in profiles for url in each.facts.endpoints)
    return known.difference(OPENAI_URLS, profile.facts.endpoints)
