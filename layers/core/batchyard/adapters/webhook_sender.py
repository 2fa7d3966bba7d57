"""Calls to the addresses of tenants: never to a private address, and only the status of the answer is read."""

from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter

from batchyard.domain.errors import DeliveryFailed
from batchyard.domain.webhook_endpoint import public

TIMEOUT: Final = (5.0, 10.0)  # seconds to connect, and to wait for the answer


class _PublicOnly(IPFilterAdapter):  # type: ignore[misc]  # the library ships no types
    """Look a name up once, refuse an address that is not public, and connect to the address that was checked.

    The library lets some ranges of IPv6 pass that reach no public host; `webhook_endpoint.public` refuses them.
    """

    def __init__(self) -> None:
        super().__init__(is_https_proto=True)

    def build_connection_pool_key_attributes(self, *request: Any, **more: Any) -> Any:  # noqa: ANN401 - as inherited
        host, pool = super().build_connection_pool_key_attributes(*request, **more)
        if not public(host["host"].strip("[]")):
            raise InvalidIPAddress(host["host"])
        return host, pool


class WebhookSender:
    """Post to the URLs of tenants."""

    def __init__(self, *, private: bool) -> None:
        """With `private`, call any address, also by plain http."""
        self._private = private

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Post a body and return the status of the answer, whatever it is; raises DeliveryFailed if there is no answer.

        No redirect is followed, no proxy is used, and the body of the answer is never read.
        """
        with requests.Session() as session:
            session.trust_env = False  # no proxy and no netrc of this machine
            if not self._private:
                session.adapters.clear()
                session.mount("https://", _PublicOnly())
            try:
                answer = session.post(
                    url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True
                )
                answer.close()
            except (requests.RequestException, ValueError) as error:  # ValueError: the name cannot be a host
                raise DeliveryFailed(_reason(error, urlsplit(url).hostname)) from error
        return answer.status_code


def _reason(error: Exception, host: str | None) -> str:
    """Say why there is no answer, without the address of the host: a tenant must not learn private addresses."""
    match error:
        case InvalidIPAddress():
            return f"{host} leads to an address that is not public."
        case requests.exceptions.SSLError():
            return f"No TLS with {host}: its certificate or its protocol was refused."
        case requests.exceptions.Timeout():
            return f"{host} did not answer within {TIMEOUT[1]:.0f} seconds."
    return f"No connection to {host}."
