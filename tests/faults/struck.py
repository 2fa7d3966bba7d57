"""A world of memory whose every effect can be struck, with its state machine and its checker."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
from collections import Counter
from contextlib import suppress
from typing import Any

import msgspec

from batchyard.api.batches import batch_rows, cancel_batch, resume, resume_batch, retry_batch
from batchyard.domain.errors import ApiError
from batchyard.observability import logger
from batchyard.planning.intake import intake
from batchyard.recovery.sweep import sweep
from batchyard.shards.fail import RESTS
from tests.fakes.batches import BUCKET
from tests.fakes.failures import lost
from tests.fakes.world import AnyWorld, Clock, MemoryBacking
from tests.faults.checker import Case, Evidence, answered, wrongs
from tests.faults.doors import doors_of, settings_of
from tests.faults.inputs import PROMPT, written
from tests.faults.machine import Machine
from tests.faults.provider import FatesProvider, Trouble
from tests.faults.strikes import Strikes, Struck, exposed

KEY = "sk-made-up"
MOST_TURNS = 3_000
BETWEEN_SWEEPS = 300
BEFORE_A_SWEEP = 600  # turns; one batch may wait for the room of another whose execution was stopped
A_WHILE = 3_600  # seconds, after which the sweep takes nothing for just begun


class StruckWorld(AnyWorld[FatesProvider]):
    """A world of memory, whose state machine is played in any order, and whatever befalls it."""

    def __init__(self, *, providers: dict[str, list[str]] | None = None, **settings: Any) -> None:
        """Make a world of one provider, or of several: the patterns of the models that each one gets, by its name."""
        clock = Clock()
        backing = MemoryBacking(**settings, **({"providers": settings_of(providers)} if providers else {}))
        super().__init__(backing, FatesProvider(clock, may_create=self._may_create), clock, lambda: 0.0)
        self.doors = doors_of(providers or {}, self.provider)
        if self.doors:
            self.services = backing.services(self.doors, clock, lambda: 0.0)
            backing.adapters.secret.text = json.dumps(dict.fromkeys(self.doors, KEY))
        self.memory, self.strikes = backing.adapters, Strikes()
        self.services = exposed(self.memory, self.strikes)
        self.machine = Machine(self.services, self.clock, self.strikes, self.found)
        for name in ("executions", "cancel_function"):
            setattr(self.services, name, Struck(self.machine, self.strikes))
        self.cases: list[Case] = []
        #: the models that inputs take turns with
        self.models: tuple[str, ...] = ("m0", "m1", "m2")
        self.logged = io.StringIO()
        self._listen()

    def upload(
        self, custom_ids: list[str], models: int = 1, bad: dict[int, str] | None = None, *, dry_run: bool = False,
        options: dict[str, str] | None = None,
    ) -> str:  # fmt: skip
        """Upload an input of which the bad lines are to be skipped; its notice comes at once."""
        key = f"inbox/default/{len(self.cases)}.jsonl"
        given = written(custom_ids, self.models[:models], bad or {})
        accept: dict[str, Any] = json.loads((options or {}).get("accept", "{}"))
        self.provider.accepts.update(dict.fromkeys(custom_ids, accept))
        asked = {"on-invalid": "skip" if bad else "refuse", "dry-run": str(dry_run), **(options or {})}
        self.backing.put(key, given.data, asked)
        batch_id = self.notice(key)
        self.cases.append(Case(batch_id, given.numbers, (PROMPT, KEY), tuple(given.skipped), dry_run))
        return batch_id

    def notice(self, key: str) -> str:
        """Deliver the event of an upload until it goes through."""
        batch_id = self.machine.deliver(lambda: intake(self.services, BUCKET, key))
        return str(batch_id)

    def retry(
        self, lines: str, body: dict[str, Any] | None = None, *, dry_run: bool = False, uploads: bool = False
    ) -> str | None:
        """Retry the last batch that was to send anything, by a request or an upload; None if nothing can be retried."""
        ran = [
            at
            for at, case in enumerate(self.cases)
            if not case.dry_run and self.record(case.batch_id)["in_progress_at"]
        ]
        if not ran:
            return None
        at, parent = ran[-1], self.cases[ran[-1]]
        again = self._of_class(parent, lines)
        before = Counter({each: len(self.provider.readable.get(each, [])) for each in again})
        known = dataclasses.replace(parent, readable=answered(parent, self.provider))
        if dry_run:
            batch_id = self._ask_again(parent, lines, body, dry_run=True, uploads=uploads)
        else:
            self.provider.order_again(again)
            batch_id = self._ask_again(parent, lines, body, dry_run=False, uploads=uploads)
        if batch_id is None:
            return None
        kept = frozenset() if lines == "all" else parent.kept | self._failed(parent).keys() - again
        if not dry_run:
            self.cases[at] = known
        child = dataclasses.replace(
            parent,
            batch_id=batch_id,
            dry_run=dry_run,
            kept=kept,
            answers_before=before,
            readable=None,
        )
        self.cases.append(child)
        return batch_id

    def _ask_again(
        self, parent: Case, lines: str, body: dict[str, Any] | None, *, dry_run: bool, uploads: bool
    ) -> str | None:
        if uploads:
            key = f"inbox/default/again-{len(self.cases)}"
            asked = {"retry-of": parent.batch_id, "retry-lines": lines, "dry-run": str(dry_run).lower()}
            self.backing.put(key, b"", {**asked, **({"retry-body": json.dumps(body)} if body else {})})
            return self.notice(key)
        members, found = {"lines": lines, "body": body, "dry_run": dry_run or None}, list[str]()

        def call() -> None:
            with suppress(ApiError):
                found.append(
                    retry_batch(self.services, "default", parent.batch_id, members, f"key-{len(self.cases)}")["id"]
                )

        self.machine.deliver(call)
        return found[-1] if found else None

    def _of_class(self, parent: Case, lines: str) -> set[str]:
        never_ran = {"batch_cancelled", "batch_expired"}
        failed = self._failed(parent)
        if lines == "all":
            return set(parent.numbers)
        return set(failed) if lines == "errors" else {each for each, code in failed.items() if code in never_ran}

    def _failed(self, case: Case) -> dict[str, str]:
        """Return the code of each request without success of a batch that has ended; "" for one without."""
        told = map(json.loads, (self.found(f"results/default/{case.batch_id}/errors.jsonl") or b"").splitlines())
        return {
            each["custom_id"]: (each["error"] or {}).get("code") or ""
            for each in told
            if "line" not in (each["error"] or {})
        }

    def cancel(self, choice: int = 0) -> None:
        """Cancel a batch, as its user does; one that has ended already cannot be."""
        batch_id = self.cases[choice % len(self.cases)].batch_id

        def call() -> None:
            with suppress(ApiError):
                cancel_batch(self.services, "default", batch_id)

        self.machine.deliver(call)

    def hear(self, shard: int) -> None:
        """Let a webhook come about a shard that has been recorded."""
        batch_id = self.cases[0].batch_id
        if (batch_id, shard) in self.memory.batch_store.kept:
            self.machine.advance({"batch_id": batch_id, "shard": shard})

    def resume(self) -> None:
        """Ask for the first batch to be resumed, and have done what that asks for."""
        self.machine.deliver(lambda: resume(self.services, self.cases[0].batch_id))
        self._advance()

    def say(self, shard: int, provider_batch_id: str | None) -> None:
        """Say what came of a shard's lost create, and have done what that asks for; a shard may have gone on already."""
        batch_id, body = self.cases[0].batch_id, {"provider_batch_id": provider_batch_id, "shard": shard}

        def call() -> None:
            with suppress(ApiError):
                resume_batch(self.services, "default", batch_id, body)

        self.machine.deliver(call)
        self._advance()

    def abort(self, choice: int, *, alone: bool = False) -> None:
        """Stop an execution by hand; those of its shards run on if it is stopped `alone`."""
        running = self.machine.running
        if running:
            self.machine.stop(running[choice % len(running)], alone=alone)

    def sweep(self) -> None:
        """Let the schedule come."""
        self.machine.deliver(lambda: sweep(self.services))
        self._advance()

    def _advance(self) -> None:
        asked, self.invoked[:] = list(self.invoked), []
        for each in asked:
            self.machine.advance(each)

    def finish(self, *, calm: bool = True) -> None:
        """Play everything to its end; if `calm`, let nothing more go wrong."""
        if calm:
            self.strikes.due = None
            self.provider.troubles.clear()
        self._play()
        self.clock.now += A_WHILE
        self.sweep()
        self._play()
        while any(self.memory.batch_store.batches[case.batch_id].drain_reason for case in self.open()):
            self.clock.now += BETWEEN_SWEEPS
            self.sweep()
            self._play()
        for _ in range(3):  # the provider takes a moment to cancel
            self.provider.live()
        self.provider.troubles.clear()
        self.sweep()

    def _play(self) -> None:
        swept = self.machine.turns
        while self.machine.running or self.machine.cancels or self.machine.astray:
            assert self.machine.turns < MOST_TURNS, f"hangs: {self.machine.running} {self.machine.astray}"
            if self.machine.turns - swept > BEFORE_A_SWEEP:
                swept = self.machine.turns
                self.sweep()
            self.machine.cancel()
            self.machine.stray()
            for execution in self.machine.running:
                self.machine.turn(execution)

    def open(self) -> list[Case]:
        """List the batches that have not ended."""
        return [case for case in self.cases if not self.memory.batch_store.batches[case.batch_id].ended]

    def wrongs(self) -> list[str]:
        """List what the checker finds, over all batches."""
        failures = Counter(step.shard for step in self.machine.failed_shards)
        abandoned = any(times > len(RESTS) for times in failures.values())
        cases = [dataclasses.replace(case, shard_failed=bool(failures), abandoned=abandoned) for case in self.cases]
        found = [wrong for case in cases for wrong in wrongs(case, self.evidence(), self.provider)]
        found += [
            f"the rows of {case.batch_id} are not those of its results" for case in cases if not self._rows_agree(case)
        ]
        return found + self.machine.surprises

    def evidence(self) -> Evidence:
        """Return where the checker is to look."""
        return self

    def _rows_agree(self, case: Case) -> bool:
        """Tell whether the rows of a batch that has results are the lines of these, each once and in the order of both."""
        record = self.record(case.batch_id)
        if not (record["output_file_id"] or record["error_file_id"]):
            return True
        results = [
            (self.found(f"results/default/{case.batch_id}/{name}") or b"").splitlines()
            for name in ("output.jsonl", "errors.jsonl")
        ]
        rows = list[bytes]()
        complete = False
        while not complete:
            found = batch_rows(self.memory, "default", case.batch_id, str(len(rows)), "5")
            rows, complete = rows + found.data.splitlines(), found.complete
        return [[row for row in rows if row in set(lines)] for lines in results] == results and len(rows) == sum(
            map(len, results)
        )

    def resize(self, lines: int) -> None:
        """Let a shard take so many lines."""
        self.change(max_requests_per_shard=lines)

    def change(self, **settings: Any) -> None:
        """Change settings of the services, and what their providers have of these."""
        self.services.settings = msgspec.structs.replace(self.services.settings, **settings)
        for account in self.services.accounts.values():
            limits = {name: value for name, value in settings.items() if name in account.entry.__struct_fields__}
            account.entry = msgspec.structs.replace(account.entry, **limits)

    def play_until(self, operation: str, *, before: bool = False) -> None:
        """Play until the provider was called so, or is about to be."""
        calls = self.provider.calls
        seen = calls.count(operation)
        if before:
            self.provider.troubles.append(Trouble(lost, operation=operation))
        while calls.count(operation) == seen:
            assert self.machine.running, f"ended without {operation}"
            for execution in self.machine.running:
                self.machine.turn(execution)

    def first_result(self, name: str) -> bytes | None:
        """Read a result of the first batch, if there is one."""
        return self.found(f"results/default/{self.cases[0].batch_id}/{name}")

    def record(self, batch_id: str) -> dict[str, Any]:
        members: dict[str, Any] = msgspec.to_builtins(self.memory.batch_store.batches[batch_id])
        return members

    def held_tokens(self) -> dict[str, int]:
        room = self.memory.account().token_ledgers
        reservations = (reservation for name in room.names() for reservation in room.reservations(name))
        sums = {name: room.read(name).enqueued for name in room.names() if room.read(name).enqueued}
        return {
            **sums,
            **{reservation.attempt: reservation.tokens or reservation.wanted for reservation in reservations},
        }

    def events(self) -> list[str]:
        return self.memory.event_bus.details

    def log(self) -> str:
        return self.logged.getvalue()

    def _may_create(self, batch_id: str) -> bool:
        return self.memory.batch_store.batches[batch_id].status == "in_progress"

    def _listen(self) -> None:
        handler = logging.StreamHandler(self.logged)
        handler.setFormatter(logger.handlers[0].formatter)
        logger.handlers[:] = [handler]
