"""Connections that the kernel keeps alive while an answer is long in coming."""

import socket

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

_SECONDS = 60  # below the 350 s after which the NAT gateway of AWS forgets a silent connection
_NAMES = ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL")  # a system has some of them
_OPTIONS = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *((socket.IPPROTO_TCP, getattr(socket, name), _SECONDS) for name in _NAMES if hasattr(socket, name)),
]


class KeptAlive(HTTPAdapter):
    """Have the kernel probe a silent connection: what lies between would forget it, and the answer would never come."""

    def init_poolmanager(self, *args: object, **settings: object) -> None:
        """Set the options of each direct connection."""
        options = {**settings, "socket_options": _OPTIONS}
        super().init_poolmanager(*args, **options)  # type: ignore[arg-type]  # passed on as they came

    def proxy_manager_for(self, proxy: str, **settings: object) -> object:
        """Set the options of each connection to a proxy."""
        return super().proxy_manager_for(proxy, **{**settings, "socket_options": _OPTIONS})
