"""What every batch service can be asked, in one set of words; a dialect says it in the words of one family of services.

States are five, and what became of a request is told by the results alone. A dialect whose lines differ from OpenAI's has
two pure functions of one line's bytes, `encode` and `decode`; where lines are OpenAI's, their bytes pass through untouched.
"""

from collections.abc import Container, Iterator, Sequence
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from .http_info import HttpInfo
from .models import BatchError, RequestCounts, Usage
from .sources import Source

#: Seconds until the answer to a single request begins: a model may think for minutes before the first byte.
PATIENCE: Final = 240.0


class State(StrEnum):
    """Where a job stands at its service."""

    #: It was taken, and runs nothing yet.
    WAITING = "waiting"
    RUNNING = "running"
    #: It ends by itself: a stop would change nothing.
    ENDING = "ending"
    #: Nothing more comes, and what results there are can be read.
    ENDED = "ended"
    #: The service says a word that the dialect does not know.
    UNKNOWN = "unknown"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One submission of requests, in the caller's words."""

    #: The caller's key of this submission, by which a lost one is found: no other submission ever has it.
    key: str
    #: More that the caller wants to read again, where the service keeps such.
    labels: dict[str, str] = {}  # msgspec copies an empty default for each object
    #: Such as `/v1/chat/completions`.
    endpoint: str
    model: str
    #: How long the service may take, such as `24h`.
    window: str
    #: How many requests there are.
    count: int
    #: What the input is called at the service.
    filename: str
    #: The id of the input that lies at the service; None if the lines go with `submit`.
    prepared: str | None = None


class Prepared(msgspec.Struct, frozen=True):
    """Show an input that lies at the service."""

    id: str
    #: Whether the service has yet to process it, before a job may name it.
    pending: bool = False
    #: Why no job can ever be made of it.
    problem: str | None = None


class Input(msgspec.Struct, frozen=True):
    """Show an input as the service lists it."""

    id: str
    filename: str
    #: Unix seconds; None if the service does not say.
    created_at: int | None = None


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Show a job as its service described it; times are Unix seconds."""

    id: str
    state: State
    #: The service's own word for the state, for records and logs: nothing is decided by it.
    status: str
    counts: RequestCounts | None = None
    #: What `read` takes, in order; there may be some in any state.
    results: tuple[str, ...] = ()
    #: False if the counts promise answers that none of the results can hold.
    whole: bool = True
    #: The id of its input; None if the service does not say, or keeps no inputs.
    input: str | None = None
    #: Why the job as a whole did not run; it may have results all the same. A job that failed so has at least one.
    problems: tuple[BatchError, ...] = ()
    #: Whether it ended with requests that never ran: it expired, or was stopped.
    partial: bool = False
    usage: Usage | None = None
    created_at: int | None = None
    expires_at: int | None = None
    #: The key and the labels of its `Job`, as far as the service shows them.
    key: str = ""
    labels: dict[str, str] = {}

    @property
    def ended(self) -> bool:
        """Tell whether nothing more comes."""
        return self.state is State.ENDED


class Dialect(Protocol):
    """The calls that every batch service can answer. Each raises BatchClientError alone, and what a source raises.

    An odd word or member of an answer never raises: it counts as unknown or absent.
    """

    def prepare(self, job: Job, lines: Source) -> Prepared | None:
        """Lay the input down at the service; None where the lines go with `submit`.

        It is sent once. Raises UploadOutcomeUnknown if the answer is lost: another one costs at most an unused input.
        """
        ...

    def prepared(self, input_id: str) -> Prepared:
        """Look at an input."""
        ...

    def submit(self, job: Job, lines: Source) -> Look:
        """Make a job of the input, or of the lines where none was prepared.

        It is sent once. Raises CreateOutcomeUnknown if the answer is lost; then `find` before submitting again.
        """
        ...

    def look(self, job_id: str) -> Look:
        """Look at a job."""
        ...

    def stop(self, job_id: str) -> Look:
        """Stop a job; one that has ended is returned as it is. Stopping twice is harmless."""
        ...

    def find(self, job: Job, since: int, but: Container[str] = ()) -> Look | None:
        """Find what came of a lost `submit` since a time; None if there is no such job, among those not in `but`.

        Raises CannotTell where the service does not show enough to be sure.
        """
        ...

    def read(self, name: str, ids: Sequence[str] = (), key: str = "") -> Iterator[bytes]:
        """Yield a result to its very end, in chunks of OpenAI's result lines.

        `ids` are the job's custom_ids, in order, and `key` is its key: no answer to a request of another job counts. Raises
        DownloadIncomplete if it stays short.
        """
        ...

    def forget(self, name: str) -> bool:
        """Delete an input or a result; False if it was gone already."""
        ...

    def jobs(self, after: str | None = None) -> Iterator[Look]:
        """List the jobs behind one of them, newest first."""
        ...

    def inputs(self, after: str | None = None) -> Iterator[Input]:
        """List the inputs behind one of them, newest first."""
        ...

    def send(self, url: str, body: bytes, patience: float = PATIENCE) -> HttpInfo[bytes]:
        """Have one request answered at once; it is sent again only if it was surely not run.

        `patience` is the seconds until the answer begins. Raises RequestOutcomeUnknown if the answer is lost.
        """
        ...
