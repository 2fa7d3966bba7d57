"""A file that is too large for a form: from disk to S3, by the addresses that Batchyard gives for it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import IO, Any

import requests

from local.bridge.errors import BridgeError, FarSideError
from local.bridge.far_side import FarSide
from local.bridge.form import Form
from local.bridge.request_body import CHUNK

_PAUSES = (1.0, 3.0)  # seconds before a part is sent again
_LOOKS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before each look whether the bytes are there
_THERE = HTTPStatus.PRECONDITION_FAILED  # an attempt whose answer was lost had succeeded
_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
_PROCESSED = "processed"


class Stretch:
    """A stretch of a file on disk, read piece by piece, from the start each time."""

    def __init__(self, spool: IO[bytes], start: int, size: int) -> None:
        self._spool, self._start, self._size = spool, start, size

    def __len__(self) -> int:
        """Return the number of bytes."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes."""
        self._spool.seek(self._start)
        left = self._size
        while left and (piece := self._spool.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece


class Refused(Exception):  # noqa: N818 - an answer
    """Batchyard refuses the file; its answer goes to the caller as it is."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(response.status_code)
        #: The answer.
        self.response = response


def upload(
    far_side: FarSide, form: Form, spool: IO[bytes], sleep: Callable[[float], None] = time.sleep
) -> requests.Response:
    """Send the file, and return Batchyard's answer that shows it; a file that did not arrive is removed again.

    Raises:
        Refused: Batchyard does not take the file.
        FarSideError: the file did not arrive.

    """
    size = spool.seek(0, 2)
    announced = _announce(far_side, form, size)
    target = f"/v1/files/{announced['id']}"
    try:
        _send_parts(far_side, announced["upload"], spool, sleep)
        return _arrived(far_side, target, sleep)
    except BaseException:
        with suppress(FarSideError):  # what was announced and never came is swept
            far_side.call("DELETE", target).close()
        raise


def _announce(far_side: FarSide, form: Form, size: int) -> dict[str, Any]:
    wanted = {"filename": form.filename, "purpose": form.texts.get("purpose"), "bytes": size, **_life(form)}
    body = json.dumps({name: value for name, value in wanted.items() if value is not None}).encode()
    response = far_side.call("POST", "/v1/uploads/presign", [("Content-Type", "application/json")], body)
    if response.status_code != HTTPStatus.OK:
        raise Refused(response)
    return _json(response)


def _life(form: Form) -> dict[str, Any]:
    """Return `expires_after` as a JSON body has it; clients send one field a member, or one field of JSON."""
    names = {name: f"expires_after[{name}]" for name in ("anchor", "seconds")}
    given: dict[str, Any] = {name: form.texts[field] for name, field in names.items() if field in form.texts}
    if given.get("seconds", "").isdecimal():
        given["seconds"] = int(given["seconds"][:18])
    if given or "expires_after" not in form.texts:
        return {"expires_after": given} if given else {}
    text = form.texts["expires_after"]
    with suppress(ValueError):  # Batchyard says what is wrong with a text
        return {"expires_after": json.loads(text)}
    return {"expires_after": text}


def _send_parts(far_side: FarSide, way: dict[str, Any], spool: IO[bytes], sleep: Callable[[float], None]) -> None:
    start = 0
    for part in way["parts"]:
        _send_part(far_side, part["url"], way["headers"], Stretch(spool, start, part["bytes"]), sleep)
        start += part["bytes"]


def _send_part(
    far_side: FarSide, url: str, headers: dict[str, str], stretch: Stretch, sleep: Callable[[float], None]
) -> None:
    for pause in (*_PAUSES, None):
        try:
            status = far_side.put(url, headers, stretch)
            failure = FarSideError(f"S3 refused the bytes of the file with status {status}.")
        except FarSideError as error:
            status, failure = None, error
        if status in {HTTPStatus.OK, _THERE}:
            return
        passing = status is None or status in _AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if pause is None or not passing:
            raise failure
        sleep(pause)


def _arrived(far_side: FarSide, target: str, sleep: Callable[[float], None]) -> requests.Response:
    for pause in _LOOKS:
        sleep(pause)
        with suppress(FarSideError):  # the last look fails below
            response = far_side.call("GET", target)
            if response.status_code == HTTPStatus.OK and _json(response).get("status") == _PROCESSED:
                return response
            response.close()
    raise FarSideError("The bytes of the file were sent to S3, but Batchyard does not see them.")


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = response.json()
    except (requests.RequestException, ValueError) as error:
        raise FarSideError("Batchyard's answer broke off, or is no JSON.") from error
    if not isinstance(answer, dict):
        raise FarSideError("Batchyard's answer is no JSON object.")
    return answer


def explained(error: OSError) -> BridgeError:
    """Make the error of a disk that does not take the file."""
    message = f"The bridge keeps a large file on disk while it comes, and cannot write there: {error.strerror}."
    return BridgeError(HTTPStatus.INSUFFICIENT_STORAGE, message, "bridge_disk_full")
