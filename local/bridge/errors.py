"""What the bridge itself refuses or reports, in the shape of OpenAI's errors."""

import json
from http import HTTPStatus


class BridgeError(Exception):
    """An answer of the bridge's own."""

    def __init__(self, status: HTTPStatus, message: str, code: str | None = None) -> None:
        super().__init__(message)
        #: The status of the answer.
        self.status = status
        #: OpenAI's `code`.
        self.code = code

    @property
    def body(self) -> bytes:
        """Return the body of the answer."""
        kind = "invalid_request_error" if self.status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
        error = {"message": str(self), "type": kind, "param": None, "code": self.code}
        return json.dumps({"error": error}, ensure_ascii=False).encode()


class FarSideError(BridgeError):
    """Batchyard or S3 does not answer, or breaks off."""

    def __init__(self, message: str) -> None:
        super().__init__(HTTPStatus.BAD_GATEWAY, message, "bridge_far_side")


class CallerGone(Exception):  # noqa: N818 - a fact about the caller
    """The caller broke off; there is nobody to answer."""
