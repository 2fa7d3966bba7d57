"""The records of token ledgers and their reservations, and of what bounds the creation of provider batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.adapters.aws import through_conflicts, translated
from batchyard.adapters.table import ANY, INDEX, NEW, Table, changing
from batchyard.domain import token_ledger
from batchyard.domain.create_limits import Creations
from batchyard.domain.errors import SettingsError, StaleRecord
from batchyard.domain.token_ledger import Ledger, Reservation, Terms
from batchyard.domain.token_limits import configured_limit, limit_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

LEDGER, RESERVATION, HOUR = "LEDGER", "RESERVATION#", "HOUR"
MOST_BYTES: Final = "most_bytes"
SLOTS: Final = "slots"  # the set of slots that are held; DynamoDB drops an empty set
LEDGERS: Final = "LEDGERS"  # the name of all ledgers in the index, which holds the queue of each ledger too
INDEX_KEY: Final = ("gsi1pk", "gsi1sk")
QUEUE_PAGE: Final = 25  # records of some 300 bytes: a page is two read units, and few who look need a second
# An empty reservation of an attempt that is under way: a late worker must not reserve for one that has ended.
FREE: Final = f"({NEW} OR (#tokens = :zero AND #ended = :no))", {":zero": 0, ":no": False}


class TokenLedgerStore(Table):
    """Read and change the ledgers of one provider by name; tokens move only together with the reservation on them."""

    def __init__(self, table: str, provider: str, configured: str, dynamodb: DynamoDBClient | None = None) -> None:
        """Use this table. `configured` has the limits that the user has set, as `configured_limit` reads them."""
        super().__init__(table, dynamodb)
        self.provider, self._configured = provider, configured

    def name_of(self, model: str) -> str:
        """Name the ledger of a model, `<provider>#<model>`; the name of a model may be of any length."""
        return f"{self.provider}#{token_ledger.short(model)}"

    def limit(self, model: str) -> int | None:
        """Return how many tokens of a model may be enqueued, as configured or learned; None if neither is known."""
        return self.limit_of(model, self.read(self.name_of(model)))

    def limit_of(self, model: str, ledger: Ledger) -> int | None:
        """Return the limit of a model whose ledger was read; raises SettingsError where the configured one is no limit."""
        try:
            configured = configured_limit(self._configured, model)
        except ValueError as error:
            raise SettingsError(str(error)) from error
        return limit_of(configured, ledger.limit)

    def read(self, name: str) -> Ledger:
        """Read a ledger as it is now; an empty ledger if there is no record yet."""
        return msgspec.convert(self._find(_ledger_key(name)), Ledger)

    def reservation(self, name: str, attempt: str) -> Reservation | None:
        """Read the reservation of an attempt as it is now; None if there is none."""
        item = self._find(_reservation_key(name, attempt))
        return msgspec.convert(item, Reservation) if item else None

    def ahead(self, name: str, reservation: Reservation) -> Iterator[Reservation]:
        """Yield the reservations that have waited longer, oldest first; a change of the last moment may be missing."""
        values = {":queue": _queue(name), ":own": _place(reservation)}
        for item in self._query("gsi1pk = :queue AND gsi1sk < :own", values, page=QUEUE_PAGE, IndexName=INDEX):
            yield msgspec.convert(item, Reservation)

    def names(self) -> Iterator[str]:
        """Yield the names of all ledgers."""
        for item in self._query("gsi1pk = :ledgers", {":ledgers": LEDGERS}, IndexName=INDEX):
            yield item["gsi1sk"]

    def reservations(self, name: str) -> Iterator[Reservation]:
        """Yield every reservation that holds tokens or waits for some, as it is now."""
        values = {":pk": f"TOKENS#{name}", ":reservation": RESERVATION, ":no": False}
        for item in self._query(
            "pk = :pk AND begins_with(sk, :reservation)", values, ConsistentRead=True, FilterExpression="ended = :no"
        ):
            reservation = msgspec.convert(item, Reservation)
            if reservation.tokens or reservation.waiting:
                yield reservation

    def wait(self, name: str, reservation: Reservation, ttl: int) -> bool:
        """Queue an attempt by its age, or record that it still waits; False if it holds tokens or has ended."""
        waiting = msgspec.structs.replace(reservation, tokens=0, waiting=True, confirmed=False, ended=False)
        place = {**_members(waiting, ttl), "gsi1pk": _queue(name), "gsi1sk": _place(reservation)}
        return self._try_change(self._reservation(name, reservation, place, *FREE))

    def take(self, name: str, reservation: Reservation, terms: Terms, ttl: int) -> bool:
        """Reserve the tokens that a reservation wants; False if the terms do not hold, or it holds tokens or has ended."""
        held = msgspec.structs.replace(
            reservation, tokens=reservation.wanted, waiting=False, confirmed=False, ended=False
        )
        taken = self._reservation(name, reservation, _members(held, ttl), *FREE)
        adds = {"enqueued": reservation.wanted, "reservations": 1, "unconfirmed": 1}
        probing = {"probe_at": reservation.seen_at + terms.probe_patience} if terms.probed_at is not None else {}
        condition, values = _condition(terms)
        entered = self._ledger(name, probing, adds, condition, values)
        return self._both(taken, entered, f"admitting {reservation.attempt}")

    def confirm(self, name: str, reservation: Reservation) -> bool:
        """Record that the provider accepted the tokens of a reservation; False if that is recorded, or it was changed since."""
        noted = self._reservation(name, reservation, {"confirmed": True}, *_unmoved(reservation))
        adds = {"confirmed": reservation.tokens, "unconfirmed": -1}
        return self._both(noted, self._ledger(name, {}, adds), f"confirming {reservation.attempt}")

    def release(self, name: str, reservation: Reservation, ttl: int, *, ended: bool) -> bool:
        """Give back the tokens and leave the queue, for good if the attempt has `ended`; False if it was changed since."""
        empty = msgspec.structs.replace(reservation, tokens=0, waiting=False, confirmed=False, ended=ended)
        left = self._reservation(name, reservation, _members(empty, ttl), *_unmoved(reservation))
        if not reservation.tokens:
            return self._try_change(left)
        part = {"confirmed": -reservation.tokens} if reservation.confirmed else {"unconfirmed": -1}
        adds = {"enqueued": -reservation.tokens, "reservations": -1, **part}
        return self._both(left, self._ledger(name, {}, adds), f"releasing {reservation.attempt}")

    def change(self, name: str, **learned: object) -> None:
        """Write members of a ledger that were learned."""
        self._try_change(self._ledger(name, learned, {}))

    def recount(self, name: str, before: Ledger, after: Ledger) -> bool:
        """Write the sums of `after`; False if the ledger was changed since it was read as `before`."""
        sums = {each: getattr(after, each) for each in ("enqueued", "reservations", "confirmed", "unconfirmed")}
        unmoved = "#version = :seen"
        return self._try_change(self._ledger(name, sums, {}, unmoved, {":seen": before.version}))

    def creations(self, provider: str) -> Creations:
        """Read the creations at a provider in the last hour."""
        return msgspec.convert(self._find(_hour_key(provider)), Creations)

    def save_creations(self, provider: str, before: Creations, after: Creations) -> bool:
        """Write the creations over those that were read as `before`; False if they were changed since."""
        sets = {"counts": after.counts, "version": before.version + 1}
        unmoved = f"{NEW} OR #version = :seen"
        return self._try_change(changing(_hour_key(provider), sets, unmoved, {":seen": before.version}))

    def most_bytes(self, now: int) -> int | None:
        """Return the largest file that may be sent to the provider, as it was learned; None if it refused none of late."""
        found = self._find(_file_key(self.provider))
        return int(found[MOST_BYTES]) if found.get("expires_at_ttl", 0) > now else None

    def learn_most_bytes(self, size: int, now: int, until: int) -> None:
        """Remember until a time that no file larger than this is to be sent, unless a smaller size is known."""
        lower = f"attribute_not_exists(#{MOST_BYTES}) OR #{MOST_BYTES} > :size OR #expires_at_ttl <= :now"
        sets = {MOST_BYTES: size, "expires_at_ttl": until}
        self._try_change(changing(_file_key(self.provider), sets, lower, {":size": size, ":now": now}))

    def take_slot(self, provider: str, slot: str, most: int) -> bool:
        """Take a slot to submit in, if fewer than `most` are held."""
        free = f"attribute_not_exists(#{SLOTS}) OR size(#{SLOTS}) < :most"
        return self._try_change(changing(_slots_key(provider), {}, free, {":most": most}, adds={SLOTS: {slot}}))

    def slots(self, provider: str) -> list[str]:
        """Read the slots that are held."""
        return list(self._find(_slots_key(provider)).get(SLOTS, ()))

    def drop_slots(self, provider: str, slots: Collection[str]) -> None:
        """Give slots back; a slot that nobody holds is no error."""
        self._try_change(changing(_slots_key(provider), {}, ANY, deletes={SLOTS: set(slots)}))

    def _reservation(
        self, name: str, reservation: Reservation, sets: Mapping[str, object], condition: str, values: Mapping[str, object]
    ) -> dict[str, Any]:  # fmt: skip
        removed = () if "gsi1pk" in sets else INDEX_KEY
        return changing(_reservation_key(name, reservation.attempt), sets, condition, values, removed=removed)

    def _ledger(
        self, name: str, sets: Mapping[str, object], adds: Mapping[str, int], condition: str = ANY,
        values: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        listed = {**sets, "gsi1pk": LEDGERS, "gsi1sk": name}
        return changing(_ledger_key(name), listed, condition, values, adds={**adds, "version": 1})

    def _both(self, reservation: Mapping[str, Any], ledger: Mapping[str, Any], doing: str) -> bool:
        both: Any = [{"Update": {"TableName": self._table, **each}} for each in (reservation, ledger)]
        try:
            with translated(doing):
                through_conflicts(lambda: self._dynamodb.transact_write_items(TransactItems=both))
        except StaleRecord:
            return False
        return True


def _ledger_key(name: str) -> dict[str, str]:
    return {"pk": f"TOKENS#{name}", "sk": LEDGER}


def _reservation_key(name: str, attempt: str) -> dict[str, str]:
    return {"pk": f"TOKENS#{name}", "sk": RESERVATION + attempt}


def _hour_key(provider: str) -> dict[str, str]:
    return {"pk": f"CREATES#{provider}", "sk": HOUR}


def _file_key(provider: str) -> dict[str, str]:
    return {"pk": f"CREATES#{provider}", "sk": "FILE"}


def _slots_key(provider: str) -> dict[str, str]:
    return {"pk": f"CREATES#{provider}", "sk": "SLOTS"}


def _queue(name: str) -> str:
    return f"QUEUE#{name}"


def _place(reservation: Reservation) -> str:
    return f"{reservation.since:010}#{reservation.attempt}"


def _members(reservation: Reservation, ttl: int) -> dict[str, object]:
    return {**msgspec.structs.asdict(reservation), "expires_at_ttl": ttl}


def _unmoved(reservation: Reservation) -> tuple[str, dict[str, object]]:
    values: dict[str, object] = {":held": reservation.tokens, ":was": reservation.confirmed, ":over": reservation.ended}
    return "#tokens = :held AND #confirmed = :was AND #ended = :over", values


def _condition(terms: Terms) -> tuple[str, dict[str, object]]:
    """Write the terms as a condition and its values; a ledger that is not there yet holds nothing."""
    bounds = {"enqueued": terms.most_enqueued, "unconfirmed": terms.most_unconfirmed}
    known = {each: most for each, most in bounds.items() if most is not None}
    clauses = [f"(attribute_not_exists(#{each}) OR #{each} <= :most_{each})" for each in known]
    values: dict[str, object] = {f":most_{each}": most for each, most in known.items()}
    if terms.probed_at is not None:
        clauses.append("#probe_at = :probed")
        values[":probed"] = terms.probed_at
    return " AND ".join(clauses), values
