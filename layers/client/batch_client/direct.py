"""The endpoints that answer one request at once."""

import re

from . import nesting
from .dialect import PATIENCE
from .errors import BatchClientError, InvalidArgumentError, ProtocolError, RateLimitError, RequestOutcomeUnknown
from .http_info import HttpInfo
from .transport import JSON, Call, Transport
from .unknown_outcome import known_or_raise, never_sent

_VERSION = r"/v[1-9]"
_URL = _VERSION + r"(/[a-z0-9_-]+)+"


class Direct:
    """Send single requests."""

    _transport: Transport

    def send(self, url: str, body: bytes, patience: float = PATIENCE) -> HttpInfo[bytes]:
        """Send the `body` of one line to its `url`, such as `/v1/responses`, and return the answer as it came.

        The base URL replaces `/v1`. `patience` is the seconds until an answer begins. Only a request that was
        certainly not run goes again. A refusal has its `body`. Raises RequestOutcomeUnknown if the answer is lost,
        InvalidArgumentError if `url` names no endpoint.
        """
        if not re.fullmatch(_URL, url):
            raise InvalidArgumentError(f"{url[:64]!r} is no endpoint's url, such as /v1/responses")
        path = re.sub("^" + _VERSION, "", url)
        call = Call(method="POST", path=path, headers=JSON, body=body, patience=patience, ordinary=True)
        return known_or_raise(lambda: self._whole(call), RequestOutcomeUnknown, "The answer")

    def _whole(self, call: Call) -> HttpInfo[bytes]:
        answer = self._transport.fetch(call, _not_run)
        try:
            nesting.decode(answer.data)
        except ValueError as error:
            message = "The answer is not JSON, or not all of it came"
            raise ProtocolError(message, status=answer.status, request_id=answer.request_id) from error
        return answer


def _not_run(error: BatchClientError) -> bool:
    return never_sent(error) or isinstance(error, RateLimitError)
