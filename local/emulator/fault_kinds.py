"""What an ordered failure does: to a call, to a line, to a batch, to a request by flex processing.

`faults` has the rules that say when, and the whole scenario.
"""

from typing import Any, Literal

import msgspec

from local.emulator import ranges
from local.emulator.ranges import EVERY, Range

Spoilt = Literal["cut_off", "filtered", "refused", "nothing", "broken_json", "broken_schema"]


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """The base of all parts of a scenario, which refuse unknown members."""


class Cut(Rule):
    """Send only the beginning of the body."""

    #: Where the body ends: a number of bytes from 1, or a share below 1.
    at: float = 0.5
    #: How the body is framed; `length` promises the whole of it.
    framing: Literal["length", "chunked", "close"] = "length"
    #: Whether the connection is reset at the end.
    reset: bool = False


class Dribble(Rule):
    """Send the body slowly."""

    #: The bytes of each piece.
    bytes: int = 1
    #: The pause after each piece.
    seconds: float = 0.05


class CallFault(Rule):
    """What goes wrong with one API call."""

    #: The seconds before anything is done.
    delay: float = 0.0
    #: The status to answer in place of the operation's own answer.
    status: int | None = None
    #: Members that change the error object of that answer.
    error: dict[str, Any] | None = None
    #: The body to answer; text is sent as it is.
    body: Any = None
    #: Whether to answer the HTML page of a gateway.
    html: bool = False
    #: Headers to add to the answer.
    headers: dict[str, str] = {}
    #: What happens to the connection in place of an answer.
    connection: Literal["reset", "close", "stall"] | None = None
    #: Whether the operation is done before the call fails.
    after_effect: bool = False
    #: Whether the call fails before its body is read.
    early: bool = False
    #: Members to set in the answer.
    set: dict[str, Any] = {}
    #: Members to remove from the answer.
    unset: list[str] = []
    #: The member in which the whole answer is wrapped.
    wrap: str | None = None
    #: What is wrong with the made-up answer of a request that is answered at once; it is billed as a good one.
    says: Spoilt | None = None
    #: How many of the newest items a list leaves out.
    hide_newest: int = 0
    #: Where the body ends too early.
    cut: Cut | None = None
    #: How slowly the body is sent.
    dribble: Dribble | None = None
    #: Whether the body is compressed.
    gzip: bool = False

    @property
    def replaces_reply(self) -> bool:
        """Tell whether the caller gets something else than the operation's own answer."""
        return self.status is not None or self.connection is not None or self.body is not None or self.html


class LineFault(Rule):
    """What goes wrong with one line of a batch."""

    #: The status of the model endpoint's answer.
    status: int | None = None
    code: str | None = None
    message: str | None = None
    #: The body of the answer.
    body: dict[str, Any] | None = None
    #: What is wrong with the made-up answer, which is billed as a good one.
    says: Spoilt | None = None
    #: The code of an error object, for a line that gets no HTTP answer; with a status, the line has both.
    error: str | None = None
    #: Whether the line has neither response nor error.
    bare: bool = False
    #: Whether the line has no custom_id.
    nameless: bool = False
    #: Whether the line is cut in half.
    malformed: bool = False
    #: Whether the line has a byte that is not UTF-8.
    garbled: bool = False
    #: Whether the line is in no file.
    missing: bool = False
    #: Whether the line is in its file twice.
    duplicate: bool = False
    #: Whether an answer to an unknown custom_id follows the line.
    unknown_custom_id: bool = False


class LineRule(Rule):
    """Order a failure for some lines."""

    do: LineFault
    #: The custom_ids that match: one pattern with `*` and `?`, or a list.
    custom_id: str | list[str] = "*"
    #: The numbers of the lines that match, from 1.
    lines: Range = EVERY
    #: The chance that a matching line fails.
    share: float = 1.0
    #: How often a custom_id fails over all batches; None means always.
    times: int | None = None

    def __post_init__(self) -> None:
        """Refuse a malformed range."""
        ranges.check(self.lines)


class BatchFault(Rule):
    """What goes wrong with one batch."""

    #: The errors of a batch that fails validation: codes or whole errors.
    fail: list[dict[str, Any] | str] | str | None = None
    #: The share of lines after which the batch expires.
    expire_after: float | None = None
    #: Whether the answers of a batch that expires or is cancelled are lost; they are billed all the same.
    loses_answers: bool = False
    #: The status in which the batch stays until it expires.
    stuck: Literal["validating", "in_progress", "finalizing", "cancelling"] | None = None
    #: The life of the batch, in place of the scenario's `seconds_per_batch`.
    seconds: float | None = None
    #: Whether a file id is "" where null belongs.
    empty_file_ids: bool = False
    #: Whether the output file never shows.
    no_output_file: bool = False
    #: Whether the file of errors never shows, though there were some.
    no_error_file: bool = False
    #: Whether a cancel comes too late, so that the batch completes.
    cancel_finishes: bool = False
    #: What goes wrong with the webhook, or with the events of a job of Bedrock.
    webhook: Literal["lost", "twice", "forged", "late"] | None = None
    #: Failures of lines in this batch alone.
    lines: list[LineRule] = []


class Flex(Rule):
    """What becomes of requests that are sent on their own and ask for `service_tier: flex`."""

    #: Which of them find no room and are answered 429, by their count from 1.
    no_room: Range | None = None
    #: The chance that one finds no room.
    share: float = 0.0
    #: The seconds before an answer.
    seconds: float = 0.0
    #: The tier that answers say they came by; `default` costs the full price.
    served_as: Literal["flex", "default"] = "flex"
    #: Whether the tier is sold at all; it is refused with 400 if not.
    sold: bool = True

    def __post_init__(self) -> None:
        """Refuse a malformed range."""
        ranges.check(self.no_room or EVERY)
