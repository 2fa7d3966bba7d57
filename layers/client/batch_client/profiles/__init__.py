"""The services that are known, and which of them a base URL belongs to. Each is one row of `rows`."""

import re
from urllib.parse import urlsplit

from ..errors import InvalidArgumentError
from .profile import DAY, HOUR, OPENAI_URLS, Facts, Profile, Sign
from .rows import COMPATIBLE, ROWS

__all__ = ["DAY", "HOUR", "OPENAI_URLS", "PROFILES", "Facts", "Profile", "Sign", "choose_profile", "ordinary_url"]

PROFILES = {profile.name: profile for profile in ROWS}
ANY = "*"


def choose_profile(wanted: str | Profile | None, base_url: str) -> Profile:
    """Return the wanted profile; without one, the profile of the host of `base_url`, or `compatible`.

    Raises InvalidArgumentError for a name that is not in PROFILES.
    """
    if isinstance(wanted, Profile):
        return wanted
    if wanted is None:
        return _by_host(urlsplit(base_url).hostname or "")
    if wanted not in PROFILES:
        raise InvalidArgumentError(f"No profile is called {wanted!r}; there are {', '.join(sorted(PROFILES))}")
    return PROFILES[wanted]


def ordinary_url(profile: Profile, base_url: str) -> str:
    """Return where single requests go, if not to the base URL; a gateway before the service gets them itself."""
    host = urlsplit(base_url).hostname or ""
    alike = (each for each in (profile, *PROFILES.values()) if each.ordinary_url == profile.ordinary_url != "")
    part = next((part for each in alike if (part := _part_of(each, host)) is not None), None)
    return "" if part is None else profile.ordinary_url.replace(ANY, part)


def _by_host(host: str) -> Profile:
    return next((profile for profile in PROFILES.values() if _part_of(profile, host) is not None), COMPATIBLE)


def _part_of(profile: Profile, host: str) -> str | None:
    """Return the part of a host for which the `*` of the profile's stands, or no text; None for a host of another service."""
    for name in profile.hosts:
        pattern = re.escape(name).replace(re.escape(ANY), "([a-z0-9-]+)")
        if found := re.fullmatch(rf"(?:.+\.)?{pattern}", host):
            return found[1] if found.groups() else ""
    return None
