"""What is known of a service: how to call it, and what it promises. All of it is data."""

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

import msgspec

#: What fills up, so that a service takes no more: prompt tokens, requests, or batches.
Room = Literal["tokens", "requests", "jobs", "nothing"]
#: What requests, tokens or batches are counted by: each model has a room of its own, or all models of the account share one.
RoomOf = Literal["model", "account"]
#: What finds the batch of a lost create: a token of the create, our metadata, a name, the time and the number of requests; or
#: nothing for sure.
Lookup = Literal["token", "metadata", "name", "time", "none"]
#: When counts of finished requests are shown.
Progress = Literal["live", "end", "none"]
#: What a batch leaves that did not come to its end: the answers it had, or nothing for sure.
Leftovers = Literal["answers", "nothing"]
#: How its lists of batches and files go on: behind the id of the last one, by numbers of pages, or not at all.
Paging = Literal["cursor", "number", "none"]

#: The urls of OpenAI's batches.
OPENAI_URLS = (
    "/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/v1/moderations",
    "/v1/images/generations", "/v1/images/edits", "/v1/videos",
)  # fmt: skip

HOUR, DAY = 3_600, 86_400  # seconds


class Sign(NamedTuple):
    """Show how a refusal looks; what is None may be anything."""

    status: int | None = None
    #: The error's code or type.
    code: str | None = None
    #: A part of the message, in lower case; used where a service says it by its words alone.
    words: str | None = None

    def shows(self, status: int | None, codes: Collection[str | None], message: str) -> bool:
        """Tell whether a refusal looks so; a batch that failed has no status."""
        marked = self.code is not None or self.words is not None
        by_status = self.status is None or status is None or self.status == status
        by_code = self.code is None or self.code in codes
        return marked and by_status and by_code and (self.words is None or self.words in message.lower())


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a service takes, shows and keeps. Where nothing is known for sure, a fact is the one that does no harm."""

    #: The documents or client libraries that say so, and their dates, with semicolons between; empty for one's own service.
    source: str = ""
    #: The most requests of one batch; 0 where it is not known.
    most_lines: int = 50_000
    #: The most requests of one batch of `/v1/embeddings`; 0 for as many as of any other.
    most_embedding_lines: int = 0
    #: The fewest requests of one batch.
    least_lines: int = 1
    #: The most bytes of one input; 0 where it is not known.
    most_bytes: int = 200_000_000
    #: The most bytes of one request; 0 for no limit of its own.
    most_line_bytes: int = 0
    #: The most inputs in the embeddings requests of one batch; 0 where it is not known.
    most_inputs: int = 50_000
    #: Whether one batch may hold requests for several models.
    mixed_models: bool = False
    #: The windows of a batch, such as `24h`; none where any may be asked for.
    windows: tuple[str, ...] = ("24h",)
    #: Whether any whole number of hours between the first and the last of them is taken, too.
    windows_between: bool = False
    #: Urls of requests that it takes beside OpenAI's; `*` stands for any characters.
    endpoints: tuple[str, ...] = ()
    #: Whether it takes those alone, and one of OpenAI's only if it is among them.
    endpoints_alone: bool = False
    #: Whether it may take the urls of any other service, too, as a gateway does.
    any_url: bool = False
    room: Room = "tokens"
    room_of: RoomOf = "model"
    #: How many requests or jobs may be there at once, at least; 0 where the service has yet to tell.
    room_size: int = 0
    lookup: Lookup = "metadata"
    paging: Paging = "cursor"
    progress: Progress = "live"
    #: Whether a batch expires at the end of its window; where it does not, it may run on.
    expires: bool = True
    after_expiry: Leftovers = "answers"
    after_cancel: Leftovers = "answers"
    #: Seconds that inputs and results are kept; 0 for as long as nobody deletes them.
    inputs_kept: int = 0
    results_kept: int = 0
    #: How a key that is refused looks, beside a status of 401 or 403.
    key_refused: tuple[Sign, ...] = ()
    #: How an empty purse looks, beside a status of 402 and OpenAI's codes.
    purse_empty: tuple[Sign, ...] = ()
    #: What a batch costs where the price list has no batch price: this share of the full price.
    price: float = 1.0
    #: Who in the price list asks the prices of this service, in order.
    sellers: tuple[str, ...] = ()
    #: Who else asks the same full prices, but not the same batch prices.
    sellers_alike: tuple[str, ...] = ()
    #: Who asks the same prices for flex processing.
    flex_sellers: tuple[str, ...] = ()
    #: Keys of a batch's metadata that mean something to the service.
    reserved_metadata: tuple[str, ...] = ()

    @property
    def shares_room(self) -> bool:
        """Tell whether all models fill the same room."""
        return self.room_of == "account"


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Describe how one service differs from OpenAI: in how it is called, and in its facts."""

    name: str
    #: The service as its maker writes it.
    title: str = ""
    #: The domain names that choose this profile; `*` stands for one part, such as a region.
    hosts: tuple[str, ...] = ()
    #: Where requests are sent that go on their own; empty for the base URL itself. `*` stands for what it does in the host.
    ordinary_url: str = ""
    #: The header with the key.
    key_header: str = "Authorization"
    #: The text before the key in that header.
    key_prefix: str = "Bearer "
    #: The query that goes with every call.
    query: Mapping[str, str] = {}  # msgspec copies an empty default for each object
    #: The service's own words for a file's purpose.
    purposes: Mapping[str, str] = {}
    #: The path that takes an input; empty where the requests go with the create.
    upload_path: str = "/files"
    #: More members of its form; `{filename}` stands for the name of the input.
    upload_form: Mapping[str, str] = {}
    #: The header of a create that makes another create with the same key harmless; empty where there is none.
    idempotency_header: str = ""
    #: The HTTP method that cancels a batch.
    cancel_method: str = "POST"
    #: The path that cancels a batch.
    cancel_path: str = "/batches/{id}/cancel"
    #: The family of services whose calls and lines it speaks.
    dialect: Literal["openai", "anthropic", "bedrock", "bedrock-openai", "mistral"] = "openai"
    #: The path at which the API begins, where a base URL names none.
    root: str = ""
    #: Headers that go with every call.
    headers: Mapping[str, str] = {}
    #: The name of the AWS service for which requests are signed with a role; None where they bear a key.
    signing: str | None = None
    #: Headers without which no call can be answered, and which only its user knows; in small letters.
    required_headers: tuple[str, ...] = ()
    #: Whether it reads inputs and writes results in a bucket by itself.
    reads_objects: bool = False
    #: What it takes, shows and keeps.
    facts: Facts = Facts()
