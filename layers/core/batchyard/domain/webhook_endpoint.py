"""A tenant's webhook endpoint: its record, its shape in OpenAI's API, and its signing secret.

The signing secret is stored nowhere: it is derived from the secret of the stack and the endpoint's generation.
"""

import base64
import hashlib
import hmac
import ipaddress
import re
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from batchyard.costs.budget import BUDGET_WARNING
from batchyard.domain.batch import BatchError
from batchyard.domain.numbers import DAY

LONGEST_URL: Final = 2_048
HTTPS_PORT: Final = 443
NAME: Final = r"([a-z0-9_-]+\.)+[a-z0-9-]*[a-z][a-z0-9-]*\.?"  # two labels or more; the last is no number
GLOBAL_UNICAST: Final = ipaddress.ip_network("2000::/3")  # the only part of IPv6 that is assigned
# Ranges that hold IPv4 addresses or are not routed, and that some versions of Python call global.
NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(each)
    for each in ("192.0.0.0/24", "192.88.99.0/24", "100.64.0.0/10", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)  # fmt: skip


# OpenAI's event types of batches. A batch of ours never expires: lines that expire at the provider are sent again.
EVENT_TYPES: Final = ("batch.completed", "batch.failed", "batch.cancelled", "batch.expired", BUDGET_WARNING)
ENDPOINT_ID: Final = r"we_[0-9a-f]{32}"
MOST_ENDPOINTS: Final = 10  # of one tenant
OVERLAP: Final = DAY  # an old secret may stay good
SHOWN_OF_SECRET: Final = 4
PREFIX: Final = "whsec_"


class WebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The record `WEBHOOKS#<tenant>` / `ENDPOINT#<id>`. Times are Unix seconds."""

    endpoint_id: str
    tenant: str
    name: str
    url: str
    event_types: list[str]
    created_at: int
    updated_at: int
    #: Counts the secrets of the endpoint, from 1; a rotation makes the next one.
    generation: int = 1
    #: The secret before is good until then.
    previous_until: int = 0
    #: The end of the secret, as shown to the tenant.
    hint: str = ""
    deleted_at: int | None = None
    #: When DynamoDB may drop the record.
    expires_at_ttl: int | None = None


def shape(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Shape OpenAI's `webhook_endpoint`."""
    return {
        "id": endpoint.endpoint_id,
        "object": "webhook_endpoint",
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
        "name": endpoint.name,
        "url": endpoint.url,
        "event_types": endpoint.event_types,
        "signing_secret_hint": f"{PREFIX}…{endpoint.hint}",
    }


def secret_of(root: str, endpoint_id: str, generation: int) -> str:
    """Derive the signing secret of an endpoint, as `whsec_…`, from `root`, the secret of the stack."""
    derived = hmac.new(root.encode(), f"{endpoint_id}.{generation}".encode(), hashlib.sha256).digest()
    return PREFIX + base64.b64encode(derived).decode()


def hint_of(secret: str) -> str:
    """Return the end of a secret, by which its owner knows it."""
    return secret.rstrip("=")[-SHOWN_OF_SECRET:]


def secrets_of(root: str, endpoint: WebhookEndpoint, now: int) -> list[str]:
    """Return the secrets that are good now, the newest first."""
    both = endpoint.generation > 1 and now < endpoint.previous_until
    generations = [endpoint.generation, *([endpoint.generation - 1] if both else [])]
    return [secret_of(root, endpoint.endpoint_id, generation) for generation in generations]


def public(address: str) -> bool:
    """Tell whether an IP address, written without brackets, belongs to the public internet."""
    ip = ipaddress.ip_address(address)
    routed = ip.version == 4 or ip in GLOBAL_UNICAST
    known = not any(ip in each for each in NOT_PUBLIC if each.version == ip.version)
    return routed and known and ip.is_global and not ip.is_multicast and not ip.is_reserved


def wrong_url(url: object, *, private: bool) -> BatchError | None:
    """Say what is wrong with the URL of a webhook; with `private`, a URL may be plain http, have any port and lead anywhere.

    The name of a host is not looked up here. The address is checked when the URL is called.
    """
    if not isinstance(url, str):
        return BatchError("invalid_type", "'url' must be a string.", "url")
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return _wrong(f"must have at most {LONGEST_URL} characters, all of them printable ASCII and no space")
    try:
        parts = urlsplit(url)
        return _wrong_parts(parts, parts.port, private=private)
    except ValueError:
        return _wrong("is no URL")


def _wrong_parts(parts: SplitResult, port: int | None, *, private: bool) -> BatchError | None:
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        return _wrong("must begin with https://")
    if not parts.hostname:
        return _wrong("names no host")
    if "@" in parts.netloc or parts.fragment:
        return _wrong("must hold no user, password or fragment; the signature proves who calls")
    if port not in {None, HTTPS_PORT} and not private:
        return _wrong(f"must lead to port {HTTPS_PORT}")
    return (
        None
        if private or _maybe_public(parts.hostname, bracketed="[" in parts.netloc)
        else _wrong("must lead to a public address")
    )


def _maybe_public(host: str, *, bracketed: bool) -> bool:
    try:
        return public(host)
    except ValueError:  # a name
        return not bracketed and bool(re.fullmatch(NAME, host))


def _wrong(what: str) -> BatchError:
    return BatchError("invalid_value", f"Invalid value: 'url' {what}.", "url")
