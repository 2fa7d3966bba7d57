"""The description of the HTTP API, `openapi.json`."""

from functools import cache
from pathlib import Path
from typing import Final

from batchyard.services import Services

FILE: Final = Path(__file__).with_name("openapi.json")


# What the document says of a webhook's URL, and what holds in a stack that calls private addresses.
PUBLIC_URL: Final = {
    r'"^https://': r'"^https?://',
    "An https URL of port 443 at a public address,": "An http or https URL at any address,",
}


@cache
def text(*, private_webhooks: bool = False) -> str:
    """Return the document as it is served; with `private_webhooks`, a webhook's URL may be plain http and lead anywhere."""
    document = FILE.read_text(encoding="utf-8")
    for public, any_url in PUBLIC_URL.items() if private_webhooks else ():
        document = document.replace(public, any_url)
    return document


def served(services: Services) -> bytes:
    """Return the document as this stack serves it."""
    return text(private_webhooks=services.settings.private_webhooks).encode()
