"""Cron expressions as EventBridge Scheduler reads them: (minutes hours day-of-month month day-of-week year).

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based. A time of the clock that does not exist
when the clock goes forward is left out; one that comes twice when it goes back counts once.
"""

import calendar
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")  # from 1
FRIDAY, SATURDAY = 5, 6  # of date.isoweekday
WEEK: Final = 7
SHORTEST_MONTH: Final = 28
LAST_YEAR: Final = 2199
PATIENCE: Final = 30  # years: a date such as a Monday the 29th of February comes again within 28

DayRule = Callable[[date], bool]


class Field(NamedTuple):
    """The place of a field, its bounds, and the words that stand for its numbers."""

    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()


MINUTES: Final = Field("minutes", 0, 59)
HOURS: Final = Field("hours", 0, 23)
DAY_OF_MONTH: Final = Field("day-of-month", 1, 31)
MONTH: Final = Field("month", 1, 12, MONTHS)
DAY_OF_WEEK: Final = Field("day-of-week", 1, 7, WEEKDAYS)
YEAR: Final = Field("year", 1970, LAST_YEAR)


class Cron(NamedTuple):
    """The times of a cron expression, on the clock of any place."""

    #: Hours and minutes, in their order.
    times: tuple[tuple[int, int], ...]
    months: frozenset[int]
    years: frozenset[int]
    #: Whether a day is meant, by its place in the month or in the week.
    is_day: DayRule

    def from_(self, day: date, *, back: bool = False) -> Iterator[datetime]:
        """Yield the times from a day on, or from it back, without a time zone."""
        step = timedelta(days=-1 if back else 1)
        end = date(max(1, day.year - PATIENCE), 1, 1) if back else date(min(day.year + PATIENCE, LAST_YEAR), 12, 31)
        while (day >= end) if back else (day <= end):
            if day.year in self.years and day.month in self.months and self.is_day(day):
                for hour, minute in reversed(self.times) if back else self.times:
                    yield datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - the zone comes later
            day += step


def parse(fields: str) -> Cron:
    """Read the six fields of a cron expression; raises ValueError, which says what is wrong."""
    given = fields.upper().split()
    if len(given) != len(Cron.__annotations__) + 2:
        raise ValueError(
            f"a cron expression has six fields (minutes hours day-of-month month day-of-week year), not {len(given)}"
        )
    minutes, hours, of_month, month, of_week, year = given
    if (of_month == "?") is (of_week == "?"):
        raise ValueError("exactly one of day-of-month and day-of-week is '?', as in cron(0 2 * * ? *)")
    times = tuple(
        (hour, minute) for hour in sorted(_numbers(hours, HOURS)) for minute in sorted(_numbers(minutes, MINUTES))
    )
    day = _of_month(of_month) if of_week == "?" else _of_week(of_week)
    return Cron(times, _numbers(month, MONTH), _numbers(year, YEAR), day)


def _numbers(text: str, field: Field) -> frozenset[int]:
    return frozenset(number for part in text.split(",") for number in _part(part, field))


def _part(part: str, field: Field) -> range:
    span, slash, step_text = part.partition("/")
    step = int(step_text) if step_text.isascii() and step_text.isdigit() else 0
    if slash and step < 1:
        raise _wrong(part, field)
    if span == "*":
        return range(field.least, field.most + 1, step or 1)
    first, dash, last = span.partition("-")
    start = _number(first, field)
    end = _number(last, field) if dash else field.most if slash else start
    if end < start:
        raise ValueError(f"{field.name}: '{span}' goes down. Write two ranges, with a comma between")
    return range(start, end + 1, step or 1)


def _number(text: str, field: Field) -> int:
    if text in field.words:
        return field.words.index(text) + 1
    number = int(text) if re.fullmatch("[0-9]{1,4}", text) else -1
    if not field.least <= number <= field.most:
        raise _wrong(text, field)
    return number


def _wrong(text: str, field: Field) -> ValueError:
    words = f" or {field.words[0]} to {field.words[-1]}" if field.words else ""
    return ValueError(f"{field.name} takes {field.least} to {field.most}{words}, not '{text[:20]}'")


def _of_month(text: str) -> DayRule:
    """Read the day-of-month: numbers, L (the last day), W (the weekday nearest to a day)."""
    rules: list[DayRule] = []
    for part in text.split(","):
        if part in {"L", "LW"}:
            rules.append(_is_last_weekday if part == "LW" else lambda day: day.day == _length(day))
        elif part.endswith("W"):
            rules.append(_nearest(_number(part[:-1], DAY_OF_MONTH)))
        else:
            numbers = _part(part, DAY_OF_MONTH)
            rules.append(lambda day, numbers=numbers: day.day in numbers)  # type: ignore[misc]  # bound now
    return lambda day: any(rule(day) for rule in rules)


def _of_week(text: str) -> DayRule:
    """Read the day-of-week: numbers from SUN, 5L (the last Thursday), 6#3 (the third Friday)."""
    rules: list[DayRule] = []
    for part in text.split(","):
        name, sharp, which = part.partition("#")
        if sharp:
            if which not in {"1", "2", "3", "4", "5"}:
                raise ValueError(f"day-of-week: '{part[:20]}' names no week of the month from 1 to 5")
            rules.append(_nth(_number(name, DAY_OF_WEEK), int(which)))
        elif part.endswith("L"):
            rules.append(_last(_number(part[:-1], DAY_OF_WEEK) if part != "L" else WEEK))
        else:
            numbers = _part(part, DAY_OF_WEEK)
            rules.append(lambda day, numbers=numbers: _weekday(day) in numbers)  # type: ignore[misc]  # bound now
    return lambda day: any(rule(day) for rule in rules)


def _weekday(day: date) -> int:
    return day.isoweekday() % WEEK + 1


def _length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nth(weekday: int, which: int) -> DayRule:
    return lambda day: _weekday(day) == weekday and (day.day - 1) // WEEK + 1 == which


def _last(weekday: int) -> DayRule:
    return lambda day: _weekday(day) == weekday and day.day + WEEK > _length(day)


def _is_last_weekday(day: date) -> bool:
    end = day.replace(day=_length(day))
    return day == end - timedelta(days=max(0, end.isoweekday() - FRIDAY))


def _nearest(wanted: int) -> DayRule:
    """Mean the weekday nearest to a day of the month, in that month."""
    if wanted > SHORTEST_MONTH:  # whether AWS counts a shorter month then is not documented
        raise ValueError(f"day-of-month: W goes with 1 to {SHORTEST_MONTH}. LW is the last weekday of each month")

    def is_nearest(day: date) -> bool:
        around = day.replace(day=wanted)
        if around.isoweekday() == SATURDAY:
            return day.day == (wanted - 1 if wanted > 1 else wanted + 2)
        if around.isoweekday() == WEEK:
            return day.day == (wanted + 1 if wanted < _length(day) else wanted - 2)
        return day == around

    return is_nearest
