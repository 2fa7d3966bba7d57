"""The DynamoDB table of all records: strongly consistent reads, but for claims, and writes under conditions."""

from __future__ import annotations

import re
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final

import msgspec
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from batchyard.adapters.aws import client, through_conflicts, translated, wait_for_room
from batchyard.domain.errors import NotFound, StaleRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

INDEX: Final = "by_tenant"
NEW: Final = "attribute_not_exists(pk)"
THERE: Final = "attribute_exists(pk)"
MOST_AT_ONCE: Final = 100  # records that DynamoDB answers with one call
ANY: Final = ""  # no condition: for a record with a random name, or one that may be overwritten
_to_dynamo = TypeSerializer().serialize
_from_dynamo = TypeDeserializer().deserialize


class Table:
    """The reads and writes that every store is made of."""

    def __init__(self, table: str, dynamodb: DynamoDBClient | None = None) -> None:
        """Use this table."""
        self._table = table
        self._dynamodb: DynamoDBClient = dynamodb or client("dynamodb")

    def _find(self, key: Mapping[str, str]) -> dict[str, Any]:
        """Read a record as it is now; empty where there is none."""
        with translated(f"reading {key['pk']}"):
            answer = self._dynamodb.get_item(TableName=self._table, Key=encode(key), ConsistentRead=True)
        return decode(answer.get("Item", {}))

    def _get(self, key: Mapping[str, str]) -> dict[str, Any]:
        """Read a record as it is now; raises NotFound."""
        found = self._find(key)
        if not found:
            raise NotFound(f"no record {key['pk']} {key['sk']}")
        return found

    def _find_many(self, keys: Iterable[Mapping[str, str]], *, consistent: bool = True) -> Iterator[dict[str, Any]]:
        """Yield records as they are now, in any order, a hundred with each call; one that is not there is left out.

        Without `consistent`, as they were a moment ago, for half the room and the price. Raises StoreError if there is no
        room for some of a hundred for seconds.
        """
        rest = iter(keys)
        while some := [encode(key) for key in islice(rest, MOST_AT_ONCE)]:
            wanted: Any = {self._table: {"Keys": some, "ConsistentRead": consistent}}
            for tried in count():
                with translated("reading records"):
                    answer = self._dynamodb.batch_get_item(RequestItems=wanted)
                yield from map(decode, answer["Responses"].get(self._table, []))
                if not (wanted := answer.get("UnprocessedKeys")):
                    break
                wait_for_room(tried)

    def _put(
        self, key: Mapping[str, str], members: Mapping[str, object], condition: str = NEW,
        values: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        """Write a whole record; raises StaleRecord if the condition does not hold."""
        with translated(f"recording {key['pk']}"):
            self._dynamodb.put_item(**self._putting(key, members, condition, values))

    def _putting(
        self, key: Mapping[str, str], members: Mapping[str, object], condition: str,
        values: Mapping[str, object] | None = None,
    ) -> Any:  # noqa: ANN401 - members of a request  # fmt: skip
        item = encode({**key, **members})
        return {"TableName": self._table, "Item": item, **_conditional(condition, values or {})}

    def _change(self, change: Mapping[str, Any]) -> dict[str, Any]:
        """Make a change that `changing` shaped, and return the changed record; raises StaleRecord as `_put` does."""
        request: Any = {"TableName": self._table, "ReturnValues": "ALL_NEW", **change}
        with translated(f"changing {decode(change['Key'])['pk']}"):
            answer = through_conflicts(lambda: self._dynamodb.update_item(**request))
        return decode(answer["Attributes"])

    def _write_both(self, put: Any, change: Mapping[str, Any]) -> None:  # noqa: ANN401 - members of a request
        """Write a whole record and change another one, or do neither."""
        both: Any = [{"Put": put}, {"Update": {"TableName": self._table, **change}}]
        with translated(f"recording with a change of {decode(change['Key'])['pk']}"):
            through_conflicts(lambda: self._dynamodb.transact_write_items(TransactItems=both))

    def _try_change(self, change: Mapping[str, Any]) -> bool:
        """Make a change if its condition holds; return whether the condition held."""
        try:
            self._change(change)
        except StaleRecord:
            return False
        return True

    def _query(
        self,
        condition: str,
        values: Mapping[str, object],
        most: int | None = None,
        page: int | None = None,
        **how: object,
    ) -> Iterator[dict[str, Any]]:
        """Yield the records of one key in their order, `most` at most; `page` of them are read at a time, and paid for."""
        request: Any = {
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": encode(values),
            "PaginationConfig": {"MaxItems": most, "PageSize": page or most},
            **how,
        }
        with translated(f"listing {next(iter(values.values()))}"):
            for answer in self._dynamodb.get_paginator("query").paginate(TableName=self._table, **request):
                yield from map(decode, answer["Items"])


def behind(sort_key: str, after: str | None, *, newest_first: bool = False) -> tuple[str, dict[str, str]]:
    """Shape the end of a key condition that continues a list behind `after`, and its value; None begins the list."""
    if after is None:
        return "", {}
    return f" AND {sort_key} {'<' if newest_first else '>'} :after", {":after": after}


def changing(
    key: Mapping[str, str], sets: Mapping[str, object], condition: str, values: Mapping[str, object] | None = None, *,
    adds: Mapping[str, object] | None = None, deletes: Mapping[str, object] | None = None,
    within: Mapping[str, int] | None = None, removed: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Shape a change of a record; in the condition, `#name` is a member and `:name` one of the values.

    `adds` is added to numbers or sets; `within` to numbers in a map, as `counts.failed`; `deletes` is taken out of sets,
    which are gone when they are empty. Every member has an alias, because DynamoDB reserves some hundred words.
    """
    added, deleted = adds or {}, deletes or {}
    raised = {"#" + path.replace(".", ".#"): more for path, more in (within or {}).items()}
    clauses = {
        "SET": [
            *(f"#{name} = :set_{name}" for name in sets),
            *(f"{path} = {path} + :within_{at}" for at, path in enumerate(raised)),
        ],
        "ADD": [f"#{name} :add_{name}" for name in added],
        "DELETE": [f"#{name} :delete_{name}" for name in deleted],
        "REMOVE": [f"#{name}" for name in removed],
    }
    expression = " ".join(f"{word} {', '.join(each)}" for word, each in clauses.items() if each)
    given = {**{f":set_{name}": value for name, value in sets.items()}, **(values or {})}
    given.update({f":add_{name}": more for name, more in added.items()})
    given.update({f":delete_{name}": less for name, less in deleted.items()})
    given.update({f":within_{at}": more for at, more in enumerate(raised.values())})
    return {"Key": encode(key), "UpdateExpression": expression, **_conditional(condition, given, expression)}


def members(record: msgspec.Struct) -> dict[str, object]:
    """Return the members of a record that are not None."""
    return {name: value for name in record.__struct_fields__ if (value := getattr(record, name)) is not None}


def encode(item: Mapping[str, object]) -> dict[str, Any]:
    """Write plain values in the form of DynamoDB."""
    return {
        name: _to_dynamo(value if isinstance(value, set) else msgspec.to_builtins(value))
        for name, value in item.items()
    }


def decode(item: Mapping[str, Any]) -> dict[str, Any]:
    """Read plain values from the form of DynamoDB."""
    return {name: _plain(_from_dynamo(value)) for name, value in item.items()}


def _conditional(condition: str, values: Mapping[str, object], expression: str = "") -> Any:  # noqa: ANN401 - members of a request
    """Shape the members of a request beside its key; empty ones are left out, because DynamoDB refuses them."""
    names = sorted(set(re.findall(r"#(\w+)", f"{expression} {condition}")))
    shaped = {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
        "ExpressionAttributeValues": encode(values),
    }
    return {name: member for name, member in shaped.items() if member}


def _plain(value: object) -> Any:  # noqa: ANN401 - what DynamoDB holds is known only to the caller
    match value:
        case dict():
            return {name: _plain(member) for name, member in value.items()}
        case list() | set():
            return [_plain(member) for member in value]
        case str() | bool() | None:
            return value
        case _:
            number = str(value)  # every number that we write is whole; who reads a record refuses any other
            return int(number) if number.removeprefix("-").isdigit() else number
