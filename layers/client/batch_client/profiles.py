"""How compatible services differ, as data. Source: their documentation and client libraries."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from .errors import InvalidArgumentError


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Describe one service's ways.

    `hosts` are domain names that choose it; `key_header` and `key_prefix` say how the key travels; `query` goes with
    every call; `purposes` translates a file's purpose; `cancel_method` and `cancel_path` say how a batch is cancelled.
    """

    name: str
    hosts: tuple[str, ...] = ()
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "
    query: Mapping[str, str] = {}  # msgspec copies an empty default for each object
    purposes: Mapping[str, str] = {}
    cancel_method: str = "POST"
    cancel_path: str = "/batches/{id}/cancel"


OPENAI = Profile(name="openai", hosts=("api.openai.com",))
AZURE = Profile(
    name="azure",
    hosts=("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
    key_header="api-key",
    key_prefix="",
)
AZURE_ENTRA = Profile(name="azure-entra")  # a Microsoft Entra token instead of a key; never chosen by host
GROQ = Profile(name="groq", hosts=("api.groq.com",))
TOGETHER = Profile(name="together", hosts=("api.together.ai", "api.together.xyz"), purposes={"batch": "batch-api"})
VLLM = Profile(name="vllm", cancel_method="DELETE", cancel_path="/batches/{id}")  # the production-stack router
COMPATIBLE = Profile(name="compatible")

PROFILES = {profile.name: profile for profile in (OPENAI, AZURE, AZURE_ENTRA, GROQ, TOGETHER, VLLM, COMPATIBLE)}


def choose_profile(wanted: str | Profile | None, base_url: str) -> Profile:
    """Give the profile asked for, or the one whose host serves `base_url`, or `compatible`.

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
