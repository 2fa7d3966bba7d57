"""The one error of the emulator's API, in the shape of the provider's errors."""

from typing import Any


class ApiError(Exception):
    """A refusal that the caller sees: `{"error": {"message", "type", "param", "code"}}` with an HTTP status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": kind, "param": param, "code": code}

    def envelope(self) -> dict[str, Any]:
        """Return the body of the refusal."""
        return {"error": self.error}


def missing_parameter(name: str) -> ApiError:
    """Return the refusal of a request that lacks `name`."""
    return ApiError(400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")


def no_such_file(file_id: str) -> ApiError:
    """Return the refusal of an unknown, deleted or expired file id."""
    return ApiError(404, f"No such File object: {file_id}", param="id")


def no_such_batch(batch_id: str) -> ApiError:
    """Return the refusal of an unknown batch id."""
    return ApiError(404, f"No batch found with id '{batch_id}'.")


def no_such_endpoint(endpoint_id: str) -> ApiError:
    """Return the refusal of an unknown id of a webhook endpoint."""
    return ApiError(404, f"No webhook endpoint found with id '{endpoint_id}'.")
