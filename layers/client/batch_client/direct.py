"""The endpoints that answer one request at once."""

import json
import re

from .errors import BatchClientError, InvalidArgumentError, ProtocolError, RateLimitError, RequestOutcomeUnknown
from .http_info import HttpInfo
from .nesting import LEVELS_READ, shallow
from .outcome import known_or_raise, never_sent
from .transport import JSON, Call, Transport

_URL = re.compile(r"/v1(/[a-z0-9_-]+)+", re.ASCII)
_PATIENCE = 240.0  # seconds: a model may think for minutes before the first byte of its answer


class Direct:
    """Send single requests."""

    _transport: Transport

    def send(self, url: str, body: bytes) -> HttpInfo[bytes]:
        """Have one request of a batch answered at once: POST a line's `body` to its `url`, and give the answer as it came.

        The base URL stands for the `/v1` of `url`. The request is repeated only where it was certainly not run: where
        nothing can have reached the service, or it said 429. Raises RequestOutcomeUnknown when the answer is lost, is no
        JSON or a 5xx, as the request may have been run and billed; a refusal has its `body`. Raises InvalidArgumentError
        for a `url` that is no endpoint's.
        """
        if not _URL.fullmatch(url):
            raise InvalidArgumentError(f"{url[:64]!r} is no endpoint's url, such as /v1/responses")
        call = Call(method="POST", path=url.removeprefix("/v1"), headers=JSON, body=body, patience=_PATIENCE)
        return known_or_raise(lambda: self._whole(call), RequestOutcomeUnknown, "The answer")

    def _whole(self, call: Call) -> HttpInfo[bytes]:
        answer = self._transport.fetch(call, _not_run)
        try:
            text = shallow(answer.data, LEVELS_READ).decode("utf-8", "replace")
            json.loads(text)  # not as strict as a decoder: what it tells was paid for
        except ValueError as error:
            message = "The answer is not JSON, or not all of it came"
            raise ProtocolError(message, status=answer.status, request_id=answer.request_id) from error
        return answer


def _not_run(error: BatchClientError) -> bool:
    return never_sent(error) or isinstance(error, RateLimitError)
