"""The services that are known, and which of them a base URL belongs to. Each is one row of `rows`."""

from urllib.parse import urlsplit

from ..errors import InvalidArgumentError
from .profile import DAY, HOUR, OPENAI_URLS, Facts, Profile, Sign
from .rows import COMPATIBLE, ROWS

__all__ = ["DAY", "HOUR", "OPENAI_URLS", "PROFILES", "Facts", "Profile", "Sign", "choose_profile", "ordinary_url"]

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


def ordinary_url(profile: Profile, base_url: str) -> str:
    """Return where single requests go, if not to the base URL; a gateway before the service gets them itself."""
    return profile.ordinary_url if _is_of(profile, urlsplit(base_url).hostname or "") else ""


def _by_host(host: str) -> Profile:
    return next((profile for profile in PROFILES.values() if _is_of(profile, host)), COMPATIBLE)


def _is_of(profile: Profile, host: str) -> bool:
    return any(host == name or host.endswith("." + name) for name in profile.hosts)
