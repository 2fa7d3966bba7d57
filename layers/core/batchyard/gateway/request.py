"""A request of API Gateway."""

import base64
import re
from http import HTTPStatus
from typing import Any, Final

from batchyard.domain import nesting
from batchyard.domain.api_key import ApiKey
from batchyard.domain.errors import ApiError
from batchyard.gateway.content import takes_gzip

JSON: Final = "application/json"
BRIDGE: Final = "batchyard-bridge"  # the header by which a bridge says where it is
LOOPBACK: Final = re.compile(r"http://(127\.0\.0\.1|localhost):[0-9]{1,5}")


class Request:
    """One request; see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html."""

    def __init__(self, event: dict[str, Any]) -> None:
        """Take an event of payload format 2.0."""
        self._event = event
        self.method: str = event["requestContext"]["http"]["method"]
        self.path: str = event["rawPath"]
        #: By name, in lower case.
        self.headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        #: Whose key the request carries; empty where none is asked for.
        self.tenant = ""
        #: The key itself; None where none is asked for.
        self.key: ApiKey | None = None

    @property
    def caller(self) -> ApiKey:
        """Return the key of a request that needs one; raises ApiError 401 where there is none."""
        if self.key is None:
            raise ApiError(HTTPStatus.UNAUTHORIZED, "This needs an API key.")
        return self.key

    def header(self, name: str) -> str | None:
        """Return a header; `name` is in lower case."""
        return self.headers.get(name)

    @property
    def origin(self) -> str:
        """Return the address by which the client reached this API, without a path; empty if the request does not say.

        API Gateway says both. Clients put their own base URL before a path alone. A bridge on the caller's own machine says
        where that is; no other address is believed.
        """
        bridge = self.header(BRIDGE) or ""
        if LOOPBACK.fullmatch(bridge):
            return bridge
        scheme, host = self.header("x-forwarded-proto"), self.header("host")
        return f"{scheme}://{host}" if scheme and host else ""

    def query(self, name: str) -> str | None:
        """Return a query parameter; None if it is absent or empty."""
        return (self._event.get("queryStringParameters") or {}).get(name) or None

    def raw_body(self) -> bytes:
        """Return the bytes of the body; API Gateway hands over anything but JSON and text in base64."""
        text: str = self._event.get("body") or ""
        return base64.b64decode(text) if self._event.get("isBase64Encoded") else text.encode("utf-8", "surrogatepass")

    def body(self) -> object:
        """Decode the JSON body; raises ApiError 415 or 400."""
        kind = (self.header("content-type") or JSON).partition(";")[0].strip().lower()
        if kind != JSON:
            message = f"Unsupported content type: '{kind[:64]}'. Send the body as '{JSON}'."
            raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message, code="unsupported_content_type")
        try:
            return nesting.decode(self.raw_body())
        except ValueError as error:
            raise ApiError(HTTPStatus.BAD_REQUEST, f"The body could not be read as JSON: {error}.") from error

    def optional_body(self) -> object:
        """Decode the JSON body; no body at all is an empty object. Raises ApiError 415 or 400."""
        return self.body() if self._event.get("body") else {}

    def takes_gzip(self) -> bool:
        """Tell whether the client unpacks gzip by itself."""
        return takes_gzip(self.header("accept-encoding"))
