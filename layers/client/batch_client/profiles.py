"""The differences of compatible services, as data. Source: their documentation and client libraries."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from .errors import InvalidArgumentError


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Describe how one service differs from OpenAI."""

    name: str
    #: The domain names that choose this profile.
    hosts: tuple[str, ...] = ()
    #: The header with the key.
    key_header: str = "Authorization"
    #: The text before the key in that header.
    key_prefix: str = "Bearer "
    #: The query that goes with every call.
    query: Mapping[str, str] = {}  # msgspec copies an empty default for each object
    #: The service's own words for a file's purpose.
    purposes: Mapping[str, str] = {}
    #: The HTTP method that cancels a batch.
    cancel_method: str = "POST"
    #: The path that cancels a batch.
    cancel_path: str = "/batches/{id}/cancel"
    #: The family of services whose calls and lines it speaks.
    dialect: str = "openai"
    #: The path at which the API begins, where a base URL names none.
    root: str = ""
    #: Headers that go with every call.
    headers: Mapping[str, str] = {}
    #: The name of the AWS service for which requests are signed with a role; None if they bear a key.
    signing: str | None = None


OPENAI = Profile(name="openai", hosts=("api.openai.com",))
AZURE = Profile(
    name="azure",
    hosts=("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
    key_header="api-key",
    key_prefix="",
)
AZURE_ENTRA = Profile(name="azure-entra")  # a Microsoft Entra token in place of a key; no host chooses this profile
GROQ = Profile(name="groq", hosts=("api.groq.com",))
TOGETHER = Profile(name="together", hosts=("api.together.ai", "api.together.xyz"), purposes={"batch": "batch-api"})
VLLM = Profile(name="vllm", cancel_method="DELETE", cancel_path="/batches/{id}")  # the production-stack router
ANTHROPIC = Profile(
    name="anthropic",
    hosts=("api.anthropic.com",),
    key_header="x-api-key",
    key_prefix="",
    dialect="anthropic",
    root="/v1",
    headers={"anthropic-version": "2023-06-01"},  # of 2026-10-21, which the SDK sends, no difference is documented
)
# Claude Platform on AWS: the same API at https://aws-external-anthropic.REGION.api.aws, with the header
# `anthropic-workspace-id`; no host chooses this profile, as it takes a key as well.
ANTHROPIC_AWS = msgspec.structs.replace(ANTHROPIC, name="anthropic-aws", hosts=(), signing="aws-external-anthropic")
COMPATIBLE = Profile(name="compatible")

PROFILES = {
    profile.name: profile
    for profile in (OPENAI, AZURE, AZURE_ENTRA, GROQ, TOGETHER, VLLM, ANTHROPIC, ANTHROPIC_AWS, COMPATIBLE)
}


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
