"""Calls that a service has beside the contract, by the same transport: with its key, its retries and its errors."""

from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

import msgspec

from .download import Download
from .http_info import HttpInfo
from .retry import harmless
from .sources import Source, source_from
from .transport import JSON, Call, Transport
from .unknown_outcome import never_sent


class Others:
    """Call what a service has beside the contract."""

    _transport: Transport

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        may_repeat: bool = True,
    ) -> HttpInfo[object]:
        """Send a call to a path below the base URL, and return the JSON of its answer; `body` is sent as JSON.

        With `may_repeat` a call of the same meaning does no harm, such as a POST with an Idempotency-Key: the call is repeated
        also if an earlier one may have been carried out.
        """
        content = None if body is None else msgspec.json.encode(body)
        named = {**(JSON if content is not None or method != "GET" else {}), **(headers or {})}
        call = Call(method=method, path=path, query=query or {}, headers=named, body=content, may_leave=method == "GET")
        return self._transport.call(call, lambda answer: answer, harmless if may_repeat else never_sent)

    def put_elsewhere(self, url: str, source: BinaryIO | bytes | Source, headers: Mapping[str, str]) -> int:
        """PUT bytes once to an address that was given for them, without the key, and return the status.

        Raises BatchClientError for a refusal, and if no whole answer came.
        """
        return self._transport.put(url, source_from(source), headers)

    def download(
        self, path: str, *, given: int = 0, checksum: int = 0, size_of: Callable[[], int | None] = lambda: None
    ) -> Iterator[bytes]:
        """Yield what lies at a path below the base URL, in chunks of any size, as `download_file` does.

        An earlier download may have had the first `given` bytes, with this CRC-32: they are left out. `size_of` tells the
        size where nothing else does.
        """
        return Download(self._transport, path, lambda _: size_of(), path, given, checksum).chunks()
