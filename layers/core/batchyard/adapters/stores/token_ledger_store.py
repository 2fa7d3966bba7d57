"""The records of token ledgers, of their reservations, and of the places of tenants in the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.adapters.aws import through_conflicts, translated
from batchyard.adapters.stores.table import ANY, INDEX, NEW, Table, changing
from batchyard.domain import token_ledger
from batchyard.domain.errors import SettingsError, StaleRecord
from batchyard.domain.token_ledger import Ledger, Reservation, Terms
from batchyard.domain.token_limits import configured_limit, limit_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

LEDGER, RESERVATION, TENANT = "LEDGER", "RESERVATION#", "TENANT#"
LEDGERS: Final = "LEDGERS"  # the name of all ledgers in the index, which holds the queue of each ledger too
SUMS: Final = ("enqueued", "reservations", "confirmed", "unconfirmed", "overdue")
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
        """Yield the reservations that stand before, in their order; a change of the last moment may be missing."""
        values = {":queue": _queue(name), ":own": _place(reservation)}
        for item in self._query("gsi1pk = :queue AND gsi1sk < :own", values, page=QUEUE_PAGE, IndexName=INDEX):
            yield msgspec.convert(item, Reservation)

    def take_place(self, name: str, tenant: str, place: int, tokens: int) -> int:
        """Take the tenant's next place and return it; the tenant's following attempt stands `tokens` behind."""
        key, behind, values = _tenant_key(name, tenant), "#next_place >= :place", {":place": place}
        try:
            return (
                int(self._change(changing(key, {}, behind, values, adds={"next_place": tokens}))["next_place"]) - tokens
            )
        except StaleRecord:  # all of the tenant's have entered, or it never had any
            self._try_change(changing(key, {"next_place": place + tokens}, f"{NEW} OR #next_place < :place", values))
            return place

    def tenants(self, name: str) -> dict[str, int]:
        """Return the place of the next attempt of each tenant."""
        values = {":pk": f"TOKENS#{name}", ":tenant": TENANT}
        found = self._query("pk = :pk AND begins_with(sk, :tenant)", values, ConsistentRead=True)
        return {item["sk"].removeprefix(TENANT): item["next_place"] for item in found}

    def correct_tenant(self, name: str, tenant: str, before: int, after: int) -> bool:
        """Write the place of a tenant's next attempt; False if it was changed since it was read as `before`."""
        key = _tenant_key(name, tenant)
        return self._try_change(changing(key, {"next_place": after}, "#next_place = :before", {":before": before}))

    def names(self) -> Iterator[str]:
        """Yield the names of the provider's ledgers, in their order."""
        values = {":ledgers": LEDGERS, ":own": self.name_of("")}
        for item in self._query("gsi1pk = :ledgers AND begins_with(gsi1sk, :own)", values, IndexName=INDEX):
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
        """Queue an attempt at its place, or record that it still waits; False if it holds tokens or has ended."""
        waiting = msgspec.structs.replace(
            reservation, tokens=0, waiting=True, confirmed=False, overdue=False, ended=False
        )
        place = {**_members(waiting, ttl), "gsi1pk": _queue(name), "gsi1sk": _place(reservation)}
        return self._try_change(self._reservation(name, reservation, place, *FREE))

    def take(self, name: str, reservation: Reservation, terms: Terms, ttl: int, place: int = 0) -> bool:
        """Reserve the tokens that a reservation wants; False if the terms do not hold, or it holds tokens or has ended.

        `place` becomes `Ledger.place`, unless it is 0.
        """
        held = msgspec.structs.replace(
            reservation, tokens=reservation.wanted, waiting=False, confirmed=False, overdue=False, ended=False
        )
        taken = self._reservation(name, reservation, _members(held, ttl), *FREE)
        adds = {"enqueued": reservation.wanted, "reservations": 1, "unconfirmed": 1}
        probing = {"probe_at": reservation.seen_at + terms.probe_patience} if terms.probed_at is not None else {}
        condition, values = _condition(terms)
        entered = self._ledger(name, {**probing, **({"place": place} if place else {})}, adds, condition, values)
        return self._both(taken, entered, f"admitting {reservation.attempt}")

    def confirm(self, name: str, reservation: Reservation) -> bool:
        """Record that the provider accepted the tokens of a reservation; False if that is recorded, or it was changed since."""
        noted = self._reservation(name, reservation, {"confirmed": True}, *_unmoved(reservation))
        adds = {"confirmed": reservation.tokens, _unaccepted(reservation): -1}
        return self._both(noted, self._ledger(name, {}, adds), f"confirming {reservation.attempt}")

    def mark_overdue(self, name: str, reservation: Reservation) -> bool:
        """Record that nobody waits for the provider to accept a reservation; False if it was changed since."""
        noted = self._reservation(name, reservation, {"overdue": True}, *_unmoved(reservation))
        return self._both(
            noted,
            self._ledger(name, {}, {"unconfirmed": -1, "overdue": 1}),
            f"letting others pass {reservation.attempt}",
        )

    def release(self, name: str, reservation: Reservation, ttl: int, *, ended: bool) -> bool:
        """Give back the tokens and leave the queue, for good if the attempt has `ended`; False if it was changed since."""
        empty = msgspec.structs.replace(
            reservation, tokens=0, waiting=False, confirmed=False, overdue=False, ended=ended
        )
        left = self._reservation(name, reservation, _members(empty, ttl), *_unmoved(reservation))
        if not reservation.tokens:
            return self._try_change(left)
        adds = {"enqueued": -reservation.tokens, "reservations": -1, **_part(reservation)}
        return self._both(left, self._ledger(name, {}, adds), f"releasing {reservation.attempt}")

    def change(self, name: str, **learned: object) -> None:
        """Write members of a ledger that were learned."""
        self._try_change(self._ledger(name, learned, {}))

    def recount(self, name: str, before: Ledger, after: Ledger) -> bool:
        """Write the sums of `after`; False if the ledger was changed since it was read as `before`."""
        sums = {each: getattr(after, each) for each in SUMS}
        unmoved = "#version = :seen"
        return self._try_change(self._ledger(name, sums, {}, unmoved, {":seen": before.version}))

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


def _tenant_key(name: str, tenant: str) -> dict[str, str]:
    return {"pk": f"TOKENS#{name}", "sk": TENANT + tenant}


def _queue(name: str) -> str:
    return f"QUEUE#{name}"


def _place(reservation: Reservation) -> str:
    return f"{reservation.place:018}#{reservation.since:010}#{reservation.attempt}"


def _members(reservation: Reservation, ttl: int) -> dict[str, object]:
    return {**msgspec.structs.asdict(reservation), "expires_at_ttl": ttl}


def _unmoved(reservation: Reservation) -> tuple[str, dict[str, object]]:
    values: dict[str, object] = {
        ":held": reservation.tokens, ":was": reservation.confirmed, ":late": reservation.overdue, ":over": reservation.ended,
    }  # fmt: skip
    return "#tokens = :held AND #confirmed = :was AND #overdue = :late AND #ended = :over", values


def _part(reservation: Reservation) -> dict[str, int]:
    """Return what a reservation that is released no longer adds to its ledger, beside its tokens."""
    if reservation.confirmed:
        return {"confirmed": -reservation.tokens}
    return {_unaccepted(reservation): -1}


def _unaccepted(reservation: Reservation) -> str:
    """Name the member of the ledger that counts a reservation which the provider has not accepted."""
    return "overdue" if reservation.overdue else "unconfirmed"


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
