"""From an input to a batch: read, uploaded, estimated, created; each step once, also if commands are killed in between.

The record of a content is written before each step that cannot be taken back. So the same command goes on where an earlier
one stopped: the same upload, of which only missing parts are sent, and the same batch.
"""

import math
import secrets
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from batch_client import NotFoundError

from .content import ANY_ENDPOINT, Digest
from .errors import Refused, UsageFault
from .front import Front
from .inputs import Input
from .job_record import JobRecord, key_of, stem_of
from .packing import pays_off
from .screen import usd_words
from .service import View
from .uploading import Upload
from .watching import FIRST_PAUSE, estimate_words, refused_words, usd_of, would_run

ESTIMATE_SECONDS: Final = 900.0  # after which a batch is created without an estimate
OURS: Final = ("on_invalid", "max_cost_usd", "accept", "provider")  # members that only Batchyard knows
MOST_LINES, MOST_BYTES = 50_000, 200_000_000  # of a provider batch


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked beside the requests."""

    completion_window: str = "24h"
    metadata: dict[str, str] | None = None
    on_invalid: str | None = None
    max_cost_usd: float | None = None
    accept: dict[str, Any] | None = None
    #: Which of the providers of the service answers all of it.
    provider: str | None = None
    #: Whether the batch is estimated before it is created.
    estimate: bool = True
    #: Whether the upload is packed; None means where that is faster.
    pack: bool | None = None
    #: Whether a batch of the same content is left alone, and another one is made.
    new: bool = False

    def __post_init__(self) -> None:
        """Refuse a bound that no estimate could keep."""
        if self.max_cost_usd is not None and not 0 < self.max_cost_usd < math.inf:
            raise UsageFault(
                f"The most that a batch may cost is an amount above 0 in dollars, not {self.max_cost_usd}."
            )

    def members(self) -> dict[str, Any]:
        """Return the members of the batch."""
        names = ("completion_window", "metadata", "on_invalid", "max_cost_usd", "accept", "provider")
        given = {name: getattr(self, name) for name in names}
        return {name: value for name, value in given.items() if value is not None}


class Sending:
    """Send one input."""

    def __init__(self, front: Front, source: Input, options: Options) -> None:
        """Prepare to send."""
        self._front, self._source, self._options = front, source, options
        self._content = source.content(front.home)
        self._pack = False

    def run(self) -> JobRecord:
        """Return the record of the batch: a new one, or the one that an earlier command has made."""
        front = self._front
        self._check_service()
        found = self._digest()
        stem = stem_of(front.place.base_url, found.digest, self._options.members())
        waiting = "Another command sends this same content now; waiting for it …"
        with front.home.lock(f"jobs/{stem}.lock", lambda: front.screen.say(waiting)):
            record = msgspec.structs.replace(self._record(stem, found), digest=found.digest)
            if record.batch_id is None:
                record = self._sent(record, found)
            self._content.forget_body(found)
            return record

    def estimate(self) -> View:
        """Upload the input and have it estimated; nothing is sent to a provider."""
        self._check_service()
        self._front.service.need_batchyard("estimate a batch")
        found = self._digest()
        stem = stem_of(self._front.place.base_url, found.digest, self._options.members())
        with self._front.home.lock(f"jobs/{stem}.lock", lambda: None):
            record = self._front.records.of_content(stem) or self._fresh(stem, found, "")
            record = record if record.uploaded else self._uploaded(record, found)
            return self._dry_run(record, found)

    def _check_service(self) -> None:
        front = self._front
        if front.patience.run(lambda: front.service.is_batchyard):
            return
        asked = [name for name in OURS if name in self._options.members()]
        if asked:
            raise Refused(f"{front.place.host} is not Batchyard, and does not know {', '.join(asked)}.")
        front.screen.say(
            f"{front.place.host} is a provider: the input becomes one of its batches, without an estimate,"
            " without dollars, and what it leaves unfinished is not sent again."
        )

    def _digest(self) -> Digest:
        front = self._front
        path = self._source.path
        size = path.stat().st_size if path is not None and not self._content.made else None
        remote = front.service.is_batchyard and not front.place.local
        self._pack = self._options.pack if self._options.pack is not None else self._content.made and remote
        if not front.service.is_batchyard:
            self._pack = False
        with front.screen.bar("Reading", size, of_bytes=True) as bar:
            found = self._content.digest(bar.passed, pack=self._pack)
        if not front.service.is_batchyard and (found.lines > MOST_LINES or found.size > MOST_BYTES):
            raise Refused(
                f"{front.place.host} takes {MOST_LINES:,} requests and 200 MB in a batch; these are {found.lines:,} and"
                f" {found.size:,} bytes. Batchyard takes any size."
            )
        return found

    def _record(self, stem: str, found: Digest) -> JobRecord:
        """Return the record to go on with: the latest of this content, or a fresh one."""
        front = self._front
        if self._options.new:
            return front.records.keep(self._fresh(stem, found, secrets.token_hex(8)))
        known = front.records.of_content(stem)
        if known is not None and known.batch_id is not None and not self._still_there(known.batch_id):
            front.screen.say(f"{front.place.host} knows {known.batch_id} no more; the input is sent again.")
            known = None
        if known is not None:
            return known
        fresh = self._fresh(stem, found, "")
        batch = front.patience.run(lambda: front.service.find(fresh.key))
        if batch is None:
            return fresh
        front.screen.say(f"This content was sent before, as {batch.id}; --new sends it once more.")
        return front.records.keep(msgspec.structs.replace(fresh, batch_id=batch.id, uploaded=True))

    def _still_there(self, batch_id: str) -> bool:
        try:
            self._front.patience.run(lambda: self._front.service.retrieve(batch_id))
        except NotFoundError:
            return False
        return True

    def _file_there(self, record: JobRecord) -> bool:
        """Tell whether the file of an earlier command is there still: a file expires."""
        try:
            self._front.patience.run(lambda: self._front.service.client.retrieve_file(str(record.file_id)))
        except NotFoundError:
            return False
        return True

    def _fresh(self, stem: str, found: Digest, nonce: str) -> JobRecord:
        source = self._source
        return JobRecord(
            stem=stem, key=key_of(stem, nonce), base_url=self._front.place.base_url, lines=found.lines, digest=found.digest,
            source=str(source.path) if source.path is not None else None, recipe=source.recipe, reading=source.reading,
        )  # fmt: skip

    def _sent(self, record: JobRecord, found: Digest) -> JobRecord:
        """Upload, estimate and create, as far as an earlier command has not."""
        front = self._front
        if record.uploaded and not self._file_there(record):
            record = msgspec.structs.replace(record, file_id=None, packed=None, uploaded=False)
        if not record.uploaded:
            record = self._uploaded(record, found)
        if self._options.estimate and record.creating_at is None and front.service.is_batchyard:
            estimate = self._dry_run(record, found)
            front.screen.say(estimate_words(estimate))
            self._check_estimate(estimate)
            record = msgspec.structs.replace(record, estimate_usd=usd_of(estimate))
        earlier = record.creating_at
        if earlier is None:
            record = front.records.keep(msgspec.structs.replace(record, creating_at=int(time.time())))
        batch = front.patience.run(lambda: front.service.create(record.key, self._members(record, found), earlier))
        return front.records.keep(msgspec.structs.replace(record, batch_id=batch.id))

    def _members(self, record: JobRecord, found: Digest) -> dict[str, Any]:
        """Return the members of the batch; at Batchyard each line of a file of requests says its own url."""
        url = found.endpoint if self._content.made or not self._front.service.is_batchyard else ANY_ENDPOINT
        return {"input_file_id": record.file_id, "endpoint": url, **self._options.members()}

    def _uploaded(self, record: JobRecord, found: Digest) -> JobRecord:
        front = self._front
        path = self._body(record, found)
        kept = msgspec.structs.replace(record, packed=path.suffix == ".gz")

        def keep(file_id: str) -> None:
            nonlocal kept
            kept = front.records.keep(msgspec.structs.replace(kept, file_id=file_id))

        with front.screen.bar("Uploading", path.stat().st_size, of_bytes=True) as bar:
            upload = Upload(front.service, front.patience, path, self._filename(path), bar.passed)
            file_id = upload.send(record.file_id, keep)
        self._content.check_unchanged()
        return front.records.keep(msgspec.structs.replace(kept, file_id=file_id, uploaded=True))

    def _body(self, record: JobRecord, found: Digest) -> Path:
        """Return the file to send, packed if that is faster; an upload that was left off goes on as it began."""
        front = self._front
        remote = front.service.is_batchyard and not front.place.local
        if record.packed is not None:
            self._pack = record.packed
        elif self._options.pack is None and not self._content.made and remote:
            self._pack = pays_off(front, self._source.path)
        if not self._pack or self._content.made:
            return self._content.body(found, lambda _: None, pack=self._pack)
        with front.screen.bar("Packing", found.size, of_bytes=True) as bar:
            return self._content.body(found, bar.passed, pack=True)

    def _filename(self, path: Path) -> str:
        stem = self._source.name.partition(".")[0] or "requests"
        return f"{stem[:100]}.jsonl{'.gz' if path.suffix == '.gz' else ''}"

    def _dry_run(self, record: JobRecord, found: Digest) -> View:
        """Have the batch checked and estimated, and tell the estimate."""
        front = self._front
        ends, pause = time.monotonic() + ESTIMATE_SECONDS, 0.05  # seconds, for a small input is estimated soon
        with front.screen.bar("Estimating", None) as bar:
            view = front.patience.run(lambda: front.service.estimate(record.key, self._members(record, found)))
            look = partial(front.service.retrieve, view.id)
            while not view.ended and time.monotonic() < ends:
                front.sleep(pause := min(2 * pause, FIRST_PAUSE))
                view = front.patience.run(look)
                bar.show(view.counts.total, None)
        if view.status == "failed":
            raise Refused(refused_words(view, is_table=self._source.is_table))
        return view

    def _check_estimate(self, view: View) -> None:
        """Refuse here what the service would refuse, so that nothing is created."""
        if not would_run(view):
            raise Refused(refused_words(view, is_table=self._source.is_table))
        most, usd = self._options.max_cost_usd, usd_of(view)
        if most is None or (usd is not None and usd <= most):
            return
        if usd is None:
            raise Refused("There is no price for a model of the input, so --max-cost cannot be kept. Leave it out.")
        raise Refused(
            f"The estimate of ${usd_words(usd)} is above --max-cost, ${usd_words(most)}, and nothing was sent. Raise"
            f" --max-cost, allow fewer tokens for each answer, or send less."
        )
