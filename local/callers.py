"""Who may call a server of ours on 127.0.0.1: programs of this machine, and no web page of another place.

A browser lets every page send requests to 127.0.0.1: a page could read what a server has, or use the key that it holds. The
browser names the page in `Origin` and `Sec-Fetch-Site`, and a page whose own name was led to 127.0.0.1 shows in `Host`.
"""

import re
from collections.abc import Sequence

_THIS_MACHINE = re.compile(r"(?:(?:[a-z0-9._-]+\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?")
_OWN_SITES = {"same-origin", "none"}  # none: a person typed the address
REFUSED = "Refused: the request names another host, or comes from a web page of another place."


def is_foreign(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tell whether these headers of a request name another host than this machine, or a page of another place."""
    named = [(name.decode("latin-1").lower(), value.decode("latin-1").strip().lower()) for name, value in headers]
    hosts = {value for name, value in named if name == "host"}
    if len(hosts) != 1 or not all(_THIS_MACHINE.fullmatch(host) for host in hosts):
        return True
    own = {f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts}
    return any(
        (name == "origin" and value not in own) or (name == "sec-fetch-site" and value not in _OWN_SITES)
        for name, value in named
    )
