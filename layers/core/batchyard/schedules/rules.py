"""The body of `POST /v1/schedules`: read, or refused with the member and the remedy."""

import re
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from batchyard.adapters.stores.schedule_record import Schedule
from batchyard.domain import nesting, object_keys
from batchyard.domain.batch import ANY_ENDPOINT, BatchError
from batchyard.domain.errors import invalid_request, missing_parameter
from batchyard.domain.numbers import amount
from batchyard.planning import options
from batchyard.schedules import expression, thresholds
from batchyard.schedules.firing import APART, QUEUE, SKIP
from batchyard.services import Services

SCHEDULE_ID: Final = r"sched_[0-9a-f]{32}"
LONGEST_NAME: Final = 64  # characters
FEWEST_MINUTES: Final = 30  # of the hours: some sweeps fall into them, also where one is late
MEMBERS: Final = ("name", "schedule", "timezone", "input", "overlap", "hours", *thresholds.MEMBERS)
#: Members of the record that a body decides about, beside the name and those that are JSON text.
CONTENT: Final = ("expression", "timezone", "input_key", "input_prefix", "completion_window", "overlap", "hours")
AS_JSON: Final = ("members", "gathering")
#: Reads the members that every batch of a schedule has, and its completion window.
BatchReader = Callable[[Services, dict[str, Any]], tuple[str, dict[str, Any]]]


def check(
    services: Services, tenant: str, schedule_id: str, body: object, digest: str, of_batch: BatchReader
) -> Schedule:
    """Make the record of a schedule from a body; raises ApiError 400."""
    if not isinstance(body, dict):
        raise invalid_request(BatchError("invalid_type", "The body must be a JSON object."))
    own = {name: body[name] for name in MEMBERS if body.get(name) is not None}
    rest = {name: value for name, value in body.items() if name not in MEMBERS}
    slip = options.misspelled(rest, (*MEMBERS, *options.MEMBERS))
    if slip is not None:
        raise invalid_request(slip)
    for name in ("name", "schedule", "input"):
        if name not in own:
            raise missing_parameter(name)
    source = _source(tenant, own["input"])
    now, timezone = services.now(), _timezone(own.get("timezone", expression.UTC_ZONE))
    window, members = of_batch(services, rest)
    return Schedule(
        schedule_id=schedule_id, tenant=tenant, name=_name(own["name"]), created_at=now, fired_for=now - APART, digest=digest,
        expression=_expression(own["schedule"], timezone, now), timezone=timezone, completion_window=window,
        members=nesting.encode(members), overlap=_overlap(own.get("overlap", SKIP)), hours=_hours(own.get("hours")),
        gathering=_gathering({**own, "dry_run": members.get("dry_run")}), **source,
    )  # fmt: skip


def changed(services: Services, schedule: Schedule, body: object, of_batch: BatchReader) -> Schedule:
    """Return a schedule with the members that a body names, null for none, held to the same rules as a new one."""
    if not isinstance(body, dict):
        raise invalid_request(BatchError("invalid_type", "The body must be a JSON object."))
    said = body_of(schedule)
    if isinstance(body.get("input"), dict) and "key" in body["input"]:  # one object has nothing to wait for
        said = {name: value for name, value in said.items() if name not in thresholds.MEMBERS}
    wanted = {**said, **options.spelled(body)}
    new = check(services, schedule.tenant, schedule.schedule_id, wanted, schedule.digest, of_batch)
    return replace(schedule, name=new.name, **{name: getattr(new, name) for name in (*CONTENT, *AS_JSON)})


def body_of(schedule: Schedule) -> dict[str, Any]:
    """Return the members that a body names to make such a schedule."""
    members: dict[str, Any] = nesting.decode(schedule.members)
    if (most := amount(members.get("max_cost_usd"))) is not None:
        members["max_cost_usd"] = float(most)
    return {
        "name": schedule.name,
        "schedule": schedule.expression,
        "timezone": schedule.timezone,
        "input": {"prefix": schedule.input_prefix} if schedule.input_prefix else {"key": schedule.input_key},
        "completion_window": schedule.completion_window,
        "endpoint": ANY_ENDPOINT,  # unless the members name one
        **{name: value for name, value in members.items() if value is not None},
        "overlap": schedule.overlap,
        "hours": schedule.hours,
        **nesting.decode(schedule.gathering or "{}"),
    }


def content(schedule: Schedule) -> dict[str, object]:
    """Return what a body says of a schedule beside its name: two wishes of the same content are one wish."""
    said = {name: getattr(schedule, name) for name in CONTENT}
    return {**said, **{name: nesting.decode(getattr(schedule, name) or "{}") for name in AS_JSON}}


def _wrong(param: str, message: str, code: str = "invalid_value") -> Exception:
    return invalid_request(BatchError(code, f"'{param}' {message}.", param))


def _text(value: object, param: str) -> str:
    if not isinstance(value, str):
        raise _wrong(param, "must be a string", "invalid_type")
    return value


def _name(value: object) -> str:
    name = _text(value, "name")
    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise _wrong("name", f"must be 1 to {LONGEST_NAME} printable characters")
    if re.fullmatch(SCHEDULE_ID, name):
        raise _wrong("name", "must not look like the id of a schedule: commands take either")
    return name


def _timezone(value: object) -> str:
    name = _text(value, "timezone")
    if not expression.is_zone(name):
        form = "must be a time zone such as 'Europe/Berlin' or 'UTC', by its name in the database of the IANA"
        raise _wrong("timezone", f"{form}, not {name[:64]!r}")
    return name


def _expression(value: object, timezone: str, now: int) -> str:
    text = _text(value, "schedule").strip()
    try:
        times = expression.parse(text, timezone, now)
    except ValueError as error:
        raise _wrong("schedule", f"cannot be read: {error}") from error
    if (why := expression.why_never(times, now)) is not None:
        raise _wrong("schedule", f"never fires: {why}")
    return text


def _gathering(own: dict[str, Any]) -> str | None:
    asked = [name for name in thresholds.MEMBERS if name in own]
    if asked and own["input"].keys() == {"key"}:
        raise _wrong(asked[0], "goes with a folder as input, and one object has nothing to wait for. Leave it out")
    return thresholds.read(own)


def _overlap(value: object) -> str:
    if not isinstance(value, str) or value not in {SKIP, QUEUE}:
        raise _wrong("overlap", f"must be '{SKIP}' or '{QUEUE}'")
    return value


def _hours(value: object) -> str | None:
    if value is None:
        return None
    text = _text(value, "hours")
    if not expression.are_hours(text):
        raise _wrong("hours", f"must be hours of the clock such as '22:00-06:00', not {text[:32]!r}")
    if expression.minutes_of(text) < FEWEST_MINUTES:
        why = "what waits is looked at every five minutes, and might miss fewer each day"
        raise _wrong("hours", f"must be {FEWEST_MINUTES} minutes or more: {why}")
    return text


def _source(tenant: str, value: object) -> dict[str, Any]:
    """Read the input: one object, whose newest version each firing runs, or a folder, whose new files it gathers."""
    if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= {"key", "prefix"}:
        ways = f'{{"key": "inbox/{tenant}/<name>.jsonl"}} or {{"prefix": "gather/{tenant}/<name>/"}}'
        raise _wrong("input", f"must be {ways}", "invalid_type")
    ((kind, given),) = value.items()
    key = _text(given, f"input.{kind}")
    if kind == "prefix":
        try:
            object_keys.own_folder(tenant, key)
        except ValueError as error:
            raise _wrong("input.prefix", str(error)) from error
        return {"input_prefix": key}
    if len(key.encode("utf-8", "replace")) > object_keys.LONGEST_KEY:
        raise _wrong("input.key", f"has at most {object_keys.LONGEST_KEY} bytes", "string_above_max_length")
    if not object_keys.readable_by(tenant, key):
        folder = object_keys.folder_within(tenant, key)
        way = f'. The files of a folder are {{"prefix": "{folder}"}}' if folder else ""
        raise _wrong("input.key", f"must be the key of an object below inbox/{tenant}/ or files/{tenant}/{way}")
    if re.search(object_keys.UNPRINTABLE, key) or key.endswith("/"):
        raise _wrong("input.key", "must be the key of one object, which can be printed and does not end with '/'")
    return {"input_key": key}
