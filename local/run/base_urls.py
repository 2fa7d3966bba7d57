"""Guess the base URL of a batch API from an address that is nearly one."""

import re
from urllib.parse import urlsplit

_ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/responses", "/batches", "/files", "/models")
_ROOTS = ("/v1", "/openai/v1", "/api/v1")


def likely_urls(url: str) -> list[str]:
    """Return the addresses that may have been meant, the likeliest first: the path mended, then the other scheme, too."""
    parts = urlsplit(url)
    paths = _likely_paths(parts.path.rstrip("/"))
    mended = [parts._replace(path=path).geturl() for path in paths]
    return [*mended, *map(swapped_scheme, (url, *mended[:2]))]


def swapped_scheme(url: str) -> str:
    """Return the address with http in place of https, or the other way round."""
    parts = urlsplit(url)
    return parts._replace(scheme="http" if parts.scheme == "https" else "https").geturl()


def _likely_paths(path: str) -> list[str]:
    stem = path
    for endpoint in _ENDPOINTS:
        stem = stem.removesuffix(endpoint)
    stems = [stem] if stem != path else []
    has_version = re.search(r"/v\d+(beta)?(/openai)?$", stem)
    return stems if has_version else [*(stem + root for root in _ROOTS), *stems]
