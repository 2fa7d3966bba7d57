"""When a schedule fires: the times of its expression, on the clock of its zone."""

import os
import subprocess
import sys
import zoneinfo
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ministack.services import eventbridge

from batchyard.schedules import expression
from batchyard.schedules.expression import are_hours, is_zone, minutes_of, parse, why_never, within

#: Each is also read by the engine of the local stack, which was written by others.
CRONS = [
    "cron(0 2 * * ? *)", "cron(0/15 8-17 ? * MON-FRI *)", "cron(0 0 L * ? *)", "cron(30 6 LW * ? *)",
    "cron(0 8 15W * ? *)", "cron(0 8 1W * ? *)", "cron(15 10 ? * 6L 2026-2035)", "cron(0 0 ? * 2#1 *)",
    "cron(0 0 29 2 ? *)", "cron(5,35 */6 1,15 JAN,JUL ? *)", "cron(0 0 ? * L *)", "cron(0 12 1/5 * ? *)",
    "cron(59 23 31 DEC ? 2028-2031)", "cron(0 0 ? * 7#5 *)", "cron(10-50/20 3 28W 2,3 ? *)",
]  # fmt: skip
MADE = 1_789_999_980  # 2026-09-21T14:13:00Z


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize("text", CRONS)
@given(after=st.integers(utc("2026-01-01"), utc("2027-12-31")))
def test_the_next_time_is_the_one_that_another_reader_finds_and_the_last_is_its_inverse(text: str, after: int) -> None:
    found = eventbridge._cron_next_fire(eventbridge._parse_cron_fields(text), datetime.fromtimestamp(after, UTC))  # noqa: SLF001 - it has no public reader
    times = parse(text, "UTC", MADE)
    following = times.next(after)
    assert following == (int(found.timestamp()) if found else None)
    if following is not None:
        assert times.last(following) == following == times.next(following - 1)
        before = times.last(following - 1)
        assert before is None or (before <= after and times.next(before) == following)


@pytest.mark.parametrize(
    ("text", "after", "times"),
    [
        # the clock goes from 2 to 3 on the 28th, and from 3 back to 2 on the 31st
        ("cron(30 2 * * ? *)", "2027-03-27T12:00", ["2027-03-29T00:30", "2027-03-30T00:30"]),
        ("cron(30 2 * * ? *)", "2027-10-30T12:00", ["2027-10-31T00:30", "2027-11-01T01:30"]),
        ("cron(0 2 * * ? *)", "2026-09-21T14:13", ["2026-09-22T00:00", "2026-09-23T00:00"]),
        ("cron(0 0 1 1 ? *)", "2026-09-21T14:13", ["2026-12-31T23:00", "2027-12-31T23:00"]),
        ("at(2026-12-24T18:00:00)", "2026-09-21T14:13", ["2026-12-24T17:00"]),
    ],
)
def test_the_clock_is_that_of_the_zone(text: str, after: str, times: list[str]) -> None:
    read, at, found = parse(text, "Europe/Berlin", MADE), utc(after), []
    for _ in times:
        following = read.next(at)
        assert following is not None
        found.append(following)
        at = following
    assert found == [utc(each) for each in times]
    assert read.last(at + 60) == at


def test_a_rate_counts_from_when_its_schedule_was_made() -> None:
    times = parse("rate(5 minutes)", "UTC", MADE + 20)  # from the minute in which it was made
    assert [times.next(MADE), times.next(MADE + 299), times.next(MADE + 300)] == [MADE + 300, MADE + 300, MADE + 600]
    assert [times.last(MADE), times.last(MADE + 299), times.last(MADE + 901)] == [None, None, MADE + 900]


def test_what_is_over_comes_no_more() -> None:
    once = parse("at(2026-09-01T00:00:00)", "UTC", MADE)
    assert (once.next(MADE), once.last(MADE)) == (None, utc("2026-09-01"))
    assert parse("cron(0 0 1 1 ? 2020-2025)", "UTC", MADE).next(MADE) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hourly", r"rate\(1 day\), cron"), ("rate(1 days)", "a rate is a number and its unit.*write rate\\(1 day\\)$"),
        ("rate(1 minutes)", "write rate\\(1 minute\\)$"), ("rate(5 minute)", "write rate\\(5 minutes\\)$"),
        ("rate(0 minutes)", "a rate is"), ("rate(9999999 days)", "a year at most"), ("rate(1 second)", "a rate is"),
        ("cron(0 2 * * * *)", "exactly one of day-of-month and day-of-week is '\\?'"), ("cron(0 2 ? * ? *)", "exactly one"),
        ("cron(0 2 * * ?)", "six fields .* not 5"), ("cron(60 2 * * ? *)", "minutes takes 0 to 59, not '60'"),
        ("cron(0 24 * * ? *)", "hours takes"), ("cron(0 0 0 * ? *)", "day-of-month takes 1"), ("cron(0 0 1 13 ? *)", "month"),
        ("cron(0 0 ? * 8 *)", "day-of-week takes 1 to 7 or SUN to SAT"), ("cron(0 0 ? * FRI-MON *)", "goes down"),
        ("cron(0 0 ? * 6#6 *)", "no week of the month"), ("cron(0 0 31W * ? *)", "LW is the last"),
        ("cron(0 0 1 1 ? 1969)", "year takes 1970"), ("cron(0/0 0 1 1 ? *)", "minutes"), ("cron(,0 0 1 1 ? *)", "minutes"),
        ("cron(/5 0 1 1 ? *)", "minutes"), ("cron(0 ٣ 1 1 ? *)", "hours"), ("cron(0/-1 0 1 1 ? *)", "minutes"),
        ("at(2026-13-01T00:00:00)", "is no time"), ("at(tomorrow)", "at takes a time"),
        ("at(2027-03-28T02:30:00)", "does not exist in Europe/Berlin"), ("cron(" + "0" * 300 + ")", "it must be like"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_what_could(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(text, "Europe/Berlin", MADE)


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(inside: str) -> None:
    for kind in ("rate", "cron", "at"):
        with suppress(ValueError):  # any other error fails the test
            assert parse(f"{kind}({inside})", "UTC", MADE)


def test_a_zone_is_one_that_the_world_knows() -> None:
    names = (
        "Europe/Berlin",
        "UTC",
        "Asia/Kolkata",
        "Europe",
        "../etc",
        "/etc/localtime",
        "Mars/Crater",
        "",
        "Ü",
        "x" * 99,
    )
    assert [is_zone(name) for name in names] == [True] * 3 + [False] * 7


def test_files_beside_the_zones_of_the_iana_are_no_zones() -> None:
    files = {
        name for root in map(Path, zoneinfo.TZPATH) for path in root.rglob("*") if (name := str(path.relative_to(root)))
    }
    known = zoneinfo.available_timezones() - {"localtime", "posixrules", "Factory"}
    others = {"posix/Europe/Berlin", "right/UTC", "posixrules", "localtime", "Factory", "tzdata.zi", *files} - known
    assert [name for name in sorted(others) if is_zone(name)] == []
    assert [name for name in sorted(known) if not is_zone(name)] == []


def test_who_makes_no_schedule_pays_for_no_zones() -> None:
    code = "import sys; from batchyard.schedules import requests, upkeep; print([*{'zoneinfo', 'tzdata'} & {*sys.modules}])"
    paths = os.pathsep.join(path for path in sys.path if path)
    command, env = [sys.executable, "-c", code], {"PYTHONPATH": paths}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("at(2026-09-01T00:00:00)", "its time is over"), ("cron(0 0 1 1 ? 2020-2025)", "its time is over"),
        ("cron(0 0 1 1 ? 1975)", "its time is over"), ("cron(0 0 1 1 ? 2026)", "its time is over"),
        ("cron(0 0 31 2 ? *)", "no such time in Europe/Berlin"), ("cron(30 2 28 3 ? 2027)", "no such time in Europe/Berlin"),
        ("cron(0 0 1 1 ? 2199)", "in the next 30 years"),
    ],
)  # fmt: skip
def test_what_never_fires_says_whether_it_is_over_or_has_never_been(text: str, why: str) -> None:
    assert why in (why_never(parse(text, "Europe/Berlin", MADE), MADE) or "")
    assert why_never(parse("cron(0 0 29 2 ? *)", "Europe/Berlin", MADE), MADE) is None


@pytest.mark.parametrize(
    ("hours", "at", "inside"),
    [
        ("22:00-06:00", "2026-09-21T20:00", True), ("22:00-06:00", "2026-09-22T03:59", True),
        ("22:00-06:00", "2026-09-22T04:00", False), ("22:00-06:00", "2026-09-21T19:59", False),
        ("08:30-17:00", "2026-09-21T06:30", True), ("08:30-17:00", "2026-09-21T15:00", False),
    ],
)  # fmt: skip
def test_hours_are_those_of_the_zone_and_may_go_over_midnight(hours: str, at: str, inside: bool) -> None:
    assert are_hours(hours)
    assert within(hours, "Europe/Berlin", utc(at)) is inside


@pytest.mark.parametrize("text", ["22-06", "24:00-06:00", "08:00-08:00", "8:00-9:00", "", "08:00-17:60"])
def test_what_is_no_hours_is_told(text: str) -> None:
    assert not are_hours(text)
    assert expression.UTC_ZONE == "UTC"


@pytest.mark.parametrize(
    ("hours", "minutes"), [("22:00-06:00", 480), ("02:00-02:01", 1), ("23:45-00:15", 30), ("00:01-00:00", 1439)]
)
def test_hours_have_so_many_minutes(hours: str, minutes: int) -> None:
    assert minutes_of(hours) == minutes
