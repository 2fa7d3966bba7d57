"""What each command for schedules does."""

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from batchyard_client.errors import ALL_GOOD, SOME_FAILED, Refused, Stopped, UsageFault
from batchyard_client.front import Front
from batchyard_client.service import view_of

from .looking import BATCHES, printed, put, row_of, table
from .options import front_of, options_of
from .words import status_rows

WHEN: Final = (
    "schedule", "timezone", "endpoint", "overlap", "hours", "min_lines", "min_bytes", "start_at_lines",
    "start_at_bytes", "max_wait",
)  # fmt: skip
OF_BATCHES: Final = ("completion_window", "metadata", "on_invalid", "accept", "max_cost_usd", "provider")
SAID_FIRST: Final = frozenset(  # by the two lines that each schedule has
    {
        "id",
        "object",
        "name",
        "schedule",
        "timezone",
        "input",
        "next_firing_at",
        "waits_for",
        "last_firing",
        "created_at",
    }
)
PAGE: Final = 100
ENDED: Final = "ended"  # the state of a firing that has its batch, or will have none
LOOK_EVERY, MOST_LOOKS = 1.0, 120  # seconds between two looks at a firing, and looks


def create(name: str, source: str, asked: Mapping[str, Any]) -> int:
    """Make a schedule."""
    front = front_of(asked)
    with front.words():
        given = {"name": name, "input": _input(source), **_members(asked)}
        made = front.service.scheduled("POST", body=given, key=uuid.uuid4().hex)
    return _told(made, asked)


def change(named: str, asked: Mapping[str, Any]) -> int:
    """Change what is named of a schedule."""
    given = _members(asked)
    if asked["name"] is not None:
        given["name"] = asked["name"]
    if asked["source"] is not None:
        given["input"] = _input(asked["source"])
    unset = {member.replace("-", "_"): None for member in asked["unset"]}
    if twice := sorted(given.keys() & unset.keys()):
        raise UsageFault(f"--unset {twice[0]} is named beside a value of {twice[0]}. Leave one of the two out.")
    given |= unset
    if not given:
        raise UsageFault("Name what is to change, as --hours 22:00-06:00 or --unset hours.")
    front = front_of(asked)
    with front.words():
        changed = front.service.scheduled("POST", _of(front, named), body=given)
    return _told(changed, asked)


def _members(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a schedule that the options name, beside its name and input."""
    options = msgspec.structs.asdict(options_of({"estimate": True, "pack": None, "new": False, **asked}))
    named = {**{each: options[each] for each in OF_BATCHES}, **{each: asked[each] for each in WHEN}}
    return {each: value for each, value in named.items() if value is not None}


def _told(made: Mapping[str, Any], asked: Mapping[str, Any]) -> int:
    if asked["quiet"] and not asked["as_json"]:
        put(made["id"])
        return ALL_GOOD
    return _shown(made, asked)


def _input(source: str) -> dict[str, str]:
    """Read SOURCE: below gather/ there are folders only, but a name with a point may be a slip of who means one file."""
    place, _, last = source.rpartition("/")
    if place.startswith("gather/") and last and "." not in last:
        source += "/"
    return {"prefix" if source.endswith("/") else "key": source}


def show(named: str, asked: Mapping[str, Any]) -> int:
    """Show a schedule, with all that it says of its batches."""
    front = front_of(asked)
    with front.words():
        found = front.service.scheduled("GET", _of(front, named))
    status = _shown(found, asked)
    for name, value in () if asked["as_json"] else found.items():
        if name not in SAID_FIRST and value is not None:
            put(f"  {name}: {value if isinstance(value, str) else msgspec.json.encode(value).decode()}")
    if not asked["as_json"]:
        put(f"  made: {_time(found['created_at'])} UTC")
    return status


def listed(asked: Mapping[str, Any]) -> int:
    """List the schedules."""
    front = front_of(asked)
    found: list[dict[str, Any]] = []
    with front.words():
        more, query = True, {"limit": str(PAGE)}
        while more:
            page = front.service.scheduled("GET", query=query)
            found += page["data"]
            more, query = page["has_more"], {**query, "after": page["last_id"]}
    if asked["as_json"]:
        printed(found)
        return ALL_GOOD
    rows = [(each["id"], each["name"], each["schedule"], _time(each["next_firing_at"]), _last(each)) for each in found]
    table(rows, ("schedule", "name", "fires", "next (UTC)", "last"))
    return ALL_GOOD


def run(named: str, asked: Mapping[str, Any]) -> int:
    """Fire a schedule now, and wait for its batch."""
    front, key = front_of(asked), uuid.uuid4().hex
    with front.words():
        fired = _fired(front, _of(front, named), key)
    if asked["as_json"]:
        printed(fired)
    elif fired["batch_id"]:
        put(fired["batch_id"])
    elif fired["state"] != ENDED:
        front.screen.say(f"The firing waits, and its batch is made later: {fired['reason'] or 'it has just begun'}.")
    else:
        front.screen.say(f"No batch was made: {fired['reason']}.")
    return ALL_GOOD if fired["batch_id"] else SOME_FAILED if fired["state"] == ENDED else Stopped.status


def _fired(front: Front, path: str, key: str) -> dict[str, Any]:
    """Ask for one firing, and look until it has ended or waits; what is asked with one key is one firing."""
    asked = front.service.scheduled("POST", f"{path}/run", key=key)
    for _ in range(MOST_LOOKS):
        found = front.service.scheduled("GET", path)
        last = found["last_firing"]
        if last is not None and last["id"] == asked["id"]:
            return dict(last)
        if found["waits_for"]:
            return {**asked, "state": "waiting", "reason": found["waits_for"]}
        front.sleep(LOOK_EVERY)
    return front.service.scheduled("POST", f"{path}/run", key=key)


def delete(named: str, asked: Mapping[str, Any]) -> int:
    """Delete a schedule."""
    front = front_of(asked)
    with front.words():
        gone = front.service.scheduled("DELETE", _of(front, named))
    if asked["as_json"]:
        printed(gone)
    else:
        front.screen.say(f"{named} is deleted. Its batches stay.")
    return ALL_GOOD


def batches(named: str, limit: int, asked: Mapping[str, Any]) -> int:
    """List the batches of a schedule."""
    front = front_of(asked)
    with front.words():
        query = {"limit": str(min(limit, PAGE))}
        page = front.service.scheduled("GET", f"{_of(front, named)}/batches", query=query)
        views = [view_of(each) for each in page["data"]]
    if asked["as_json"]:
        printed([status_rows(view) for view in views])
    else:
        table([row_of(view) for view in views], BATCHES)
    return ALL_GOOD


def _shown(found: Mapping[str, Any], asked: Mapping[str, Any]) -> int:
    if asked["as_json"]:
        printed(found)
        return ALL_GOOD
    (source,) = found["input"].values()
    again = _time(found["next_firing_at"])
    put(f"{found['id']}: {found['name']}, {found['schedule']} ({found['timezone']}) of {source}")
    put(f"  next: {again + ' UTC' if again else 'never again'}; last: {_last(found) or 'none yet'}")
    return ALL_GOOD


def _last(found: Mapping[str, Any]) -> str:
    if found["waits_for"]:
        return f"waits: {found['waits_for']}"
    last = found["last_firing"]
    return (last["batch_id"] or f"no batch: {last['reason']}") if last else ""


def _time(at: int | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _of(front: Front, named: str) -> str:
    """Return the path of a schedule, by its id or its name."""
    if re.fullmatch("sched_[0-9a-f]{32}", named):
        return f"/{quote(named, safe='')}"
    page = front.service.scheduled("GET", query={"name": named})
    ids = [each["id"] for each in page["data"] if each["name"] == named]
    if not ids:
        raise Refused(
            f"There is no schedule with the id or name '{named}'. `batchyard schedule list` shows those there are."
        )
    return f"/{ids[0]}"
