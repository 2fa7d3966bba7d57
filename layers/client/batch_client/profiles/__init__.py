"""The services that are known, and which of them a base URL belongs to. Each is one row of `rows`."""

from urllib.parse import urlsplit

from ..errors import InvalidArgumentError
from .profile import DAY, HOUR, Facts, Profile, Sign
from .rows import COMPATIBLE, ROWS

__all__ = ["DAY", "HOUR", "PROFILES", "Facts", "Profile", "Sign", "choose_profile"]

PROFILES = {profile.name: profile for profile in ROWS}


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


def _by_host(host: str) -> Profile:
    for profile in PROFILES.values():
        if any(host == name or host.endswith("." + name) for name in profile.hosts):
            return profile
    return COMPATIBLE
