"""A world of gather folders: files come, firings come twice and late, and every effect can be struck."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from batchyard.gathering import fire
from batchyard.gathering.gather import gather, take_up
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.seconds_left import SecondsLeft
from tests.faults.checker import Case
from tests.faults.provider import FatesProvider
from tests.faults.struck import KEY, StruckWorld

if TYPE_CHECKING:
    from batch_client import Batch

FOLDER = "gather/default/f/"
RUN = f"{FOLDER}RUN"


class NamedProvider(FatesProvider):
    """A provider that books lines by their prompts, which are their own custom_ids, by whatever name they are sent."""

    def make(self, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str]) -> Batch:
        names = self._names(input_file_id)
        batch = super().make(input_file_id, endpoint, completion_window, metadata)
        self.__dict__.setdefault("sent_as", {})[batch.id] = names
        return batch

    def _names(self, file_id: str) -> dict[str, str]:
        requests = [json.loads(line) for line in self.files.get(file_id, b"").splitlines()]
        return {each["body"]["messages"][0]["content"]: each["custom_id"] for each in requests}

    def _input(self, file_id: str, fate: Any) -> tuple[Any, list[str], int, str]:
        fate, custom_ids, tokens, model = super()._input(file_id, fate)
        return fate, list(self._names(file_id)) if custom_ids else [], tokens, model

    def _answers(self, batch_id: str, *how: Any) -> tuple[list[bytes], list[bytes], int, int]:
        output, errors, *counts = super()._answers(batch_id, *how)
        names = self.__dict__["sent_as"][batch_id]
        renamed = [[_under(line, names) for line in lines] for lines in (output, errors)]
        return renamed[0], renamed[1], counts[0], counts[1]


def _under(line: bytes, names: dict[str, str]) -> bytes:
    """Answer under the name by which a line was sent."""

    def renamed(found: re.Match[bytes]) -> bytes:
        own = found[1].decode()
        return b'"custom_id": "%s"' % names.get(own, own).encode()

    return re.sub(rb'"custom_id": "([^"]+)"', renamed, line)


class GatherWorld(StruckWorld):
    """A world with one gather folder. Each line has a custom_id of its own, so that the checker can tell lines apart."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.provider.__class__ = NamedProvider
        self.came: dict[str, list[str]] = {}
        #: how often the next process that gathers may look at its clock
        self.looks = 1_000

    def come(self, name: str, lines: int) -> None:
        """Let a file come."""
        self.came[name] = [f"{name}-{at}" for at in range(lines)]
        self.backing.put(FOLDER + name, jsonl([request(each) for each in self.came[name]]), {})

    def fire(self, number: int, *, once: bool = False) -> None:
        """Put a RUN, and let its event come: until a process takes it to its end, or only once."""
        self.backing.put(RUN, b"", {"on-invalid": "skip"})
        (self.machine.once if once else self.machine.deliver)(lambda: self.heard(number))

    def heard(self, number: int) -> None:
        """Take the event of a RUN, in a process that has no more time after so many looks at its clock."""
        gather(self.services, BUCKET, RUN, f"v{number}", self._seconds_left())

    def _seconds_left(self) -> SecondsLeft:
        """Give each process a little more time than the last one."""
        self.looks += 1
        return SecondsLeft(self.looks)

    def sweep(self) -> None:
        """Let the schedule come, and Lambda invoke what the sweep asked it to."""
        super().sweep()
        asked: list[Any] = self.memory.gather_function.invoked
        while asked:
            self.machine.deliver(partial(self._asked, asked.pop(0)))

    def _asked(self, event: Any) -> None:
        if "firing" in event:
            take_up(self.services, **event["firing"], seconds_left=self._seconds_left())
        else:
            run = event["detail"]["object"]
            gather(self.services, BUCKET, run["key"], run["version-id"], self._seconds_left())

    def strike_clock(self, key: str) -> None:
        """Let a clock fire the folder."""
        self.machine.deliver(lambda: fire.fire(self.services, "default", "f", key, {}))

    def gathered(self) -> dict[str, list[str]]:
        """Return the files of each batch, by the batch's id, in their order."""
        found = {}
        for batch_id, batch in self.memory.batch_store.batches.items():
            if batch.gathered:
                found[batch_id] = [file.name for file in self.memory.bucket.file_list(batch.input).files]
        return found

    def end(self) -> list[str]:
        """Play all to its end and list the promises that were broken."""
        self.finish(calm=False)
        for batch_id, names in self.gathered().items():
            custom_ids = [each for name in names for each in self.came[name]]
            case = Case(batch_id, {each: at for at, each in enumerate(custom_ids, 1)}, (KEY,))
            self.cases = [*(known for known in self.cases if known.batch_id != batch_id), case]
        left = [f"the firing {firing.key} is left open" for firing in self.memory.gather_store.open_firings()]
        return [*self.wrongs(), *self._apart(), *left]

    def _apart(self) -> list[str]:
        """Every file is in exactly one batch, and has its own answers, all of them, in objects of its own."""
        batches = self.gathered()
        times = {name: sum(name in names for names in batches.values()) for name in self.came}
        found = [f"{name} is in {count} batches" for name, count in times.items() if count != 1]
        for batch_id, names in batches.items():
            place = f"results/default/{batch_id}/"
            for result in ("output.jsonl", "errors.jsonl"):
                parts = [self.found(f"{place}files/{name}/{result}") for name in names]
                if b"".join(part or b"" for part in parts) != self.found(place + result) or None in parts:
                    found.append(f"the files of {batch_id} have not what {result} has")
            for name in names:
                told = [
                    self.found(f"{place}files/{name}/{result}") or b"" for result in ("output.jsonl", "errors.jsonl")
                ]
                own = [json.loads(line)["custom_id"] for line in b"".join(told).splitlines()]
                if sorted(own) != sorted(self.came[name]):
                    found.append(f"{name} has the answers of {own}")
        return found
