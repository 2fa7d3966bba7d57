"""The server on 127.0.0.1: one thread a connection, and no more connections at once than a fixed number."""

import sys
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from typing import Any

from local.bridge.connection import Bridge, Connection
from local.bridge.far_side import MOST_CONNECTIONS


class Server(ThreadingHTTPServer):
    """A server with a bounded number of connections; further ones wait in the queue of the system."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, bridge: Bridge) -> None:
        """Listen on this port, or on any free one if it is 0."""
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(("127.0.0.1", port), partial(Connection, bridge))

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the standard library
        """Serve a connection in a thread once there is a place."""
        self._places.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as above
        """Serve a connection, and free its place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as above
        """Tell of an error that no caller could be told of."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @property
    def crowded(self) -> bool:
        """Tell whether connections should not be kept for later."""
        return threading.active_count() > MOST_CONNECTIONS // 2
