"""All that a command or a call works with."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from batch_client import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    BatchClient,
    BatchClientError,
    InvalidArgumentError,
    OutcomeUnknown,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    ServerError,
)

from .errors import FrontError, Refused, Stopped, UsageFault
from .home import Home
from .job_record import JobRecords
from .patience import USUAL_PATIENCE, Patience
from .screen import QuietScreen, Screen
from .service import Service
from .settings import Place, find_place, own_home


class Front:
    """One service, the folder of ours, and a screen."""

    def __init__(
        self,
        place: Place,
        home: Home,
        screen: Screen | None = None,
        *,
        patience: float = USUAL_PATIENCE,
        client: BatchClient | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Work with a service; `patience` are the seconds without an answer after which the work ends."""
        self.home, self.place = home, place
        self.screen: Screen = screen or QuietScreen()
        self.service = Service(place, client, sleep)
        self.patience = Patience(self.screen.say, patience, sleep)
        self.records = JobRecords(home)
        self.sleep = sleep

    @contextmanager
    def words(self) -> Iterator[None]:
        """Translate the errors of the service into sentences for a person."""
        try:
            yield
        except BatchClientError as error:
            raise explained(error, self.place.host) from error


def open_front(
    url: str | None = None, key: str | None = None, screen: Screen | None = None, patience: float = USUAL_PATIENCE
) -> Front:
    """Return the front to the service of the options, the environment or the login; raises UsageFault."""
    home = own_home()
    return Front(find_place(home, url, key), home, screen, patience=patience)


def explained(error: BatchClientError, host: str) -> FrontError:
    """Return the sentence for a person: what the service said, and the remedy where there is one."""
    said = f"{error.message.rstrip('.')}." if error.message else f"status {error.status}."
    if isinstance(error, AuthenticationError):
        return Refused(f"{host} does not take the key: {said} Give another one: batchyard login")
    if isinstance(error, PermissionDeniedError | QuotaError):
        return Refused(f"{host} refuses: {said}")
    if isinstance(error, InvalidArgumentError):
        return UsageFault(said)
    if isinstance(error, APIConnectionError | RateLimitError | ServerError | OutcomeUnknown):
        return Stopped(f"{said} Nothing is lost: run the same command again to go on.")
    if isinstance(error, APIStatusError):
        return Refused(f"{host} refuses: {said}")
    return Stopped(f"{said} Run the same command again to go on.")
