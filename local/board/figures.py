"""Compute what a dashboard of CloudWatch shows, from what was measured."""

import json
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

WINDOWS: Final = (600, 3_600)  # seconds that the charts show: the shorter while nothing is older
POINTS: Final = 60  # of a line
_REPEATED: Final = "..."  # stands for what the metric before has in its place
_SEARCH: Final = re.compile(r"SEARCH\('\{([^}]+)\} (.*?)', '(\w+)', \d+\)")
_MOST: Final = re.compile(r"^SORT\(.*, SUM, DESC, (\d+)\)$")
_FIXED: Final = re.compile(r'(\w+)="([^"]*)"')


class Point(NamedTuple):
    """One value that was published."""

    #: Unix seconds.
    at: float
    value: float


class Series(NamedTuple):
    """The points of one metric with one set of values for its dimensions."""

    dimensions: Mapping[str, str]
    points: Sequence[Point]


class Source(Protocol):
    """What was measured."""

    def dashboard(self) -> str | None:
        """Return the body of the dashboard that is deployed; None if none is."""
        ...

    def alarms(self) -> Mapping[str, str]:
        """Return the state of each alarm by its ARN, in CloudWatch's words."""
        ...

    def measures(self, namespace: str) -> bool:
        """Tell whether the local AWS measures anything of a namespace."""
        ...

    def series(self, namespace: str, name: str) -> Sequence[Series]:
        """Return every series of a metric."""
        ...


class Line(NamedTuple):
    """A metric of a widget."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    label: str
    statistic: str
    right: bool


def figures(source: Source, now: float) -> dict[str, Any]:
    """Return what the page shows: alarms, and the widgets of the dashboard with their lines over the last minutes."""
    body = json.loads(source.dashboard() or '{"widgets": []}')
    states, widgets = source.alarms(), body["widgets"]
    shown = [arn for each in widgets if each["type"] == "alarm" for arn in each["properties"]["alarms"]]
    metrics = [each["properties"] for each in widgets if each["type"] == "metric"]
    times = _times(source, metrics, int(now))
    return {
        "times": times,
        "alarms": [{"name": _short(arn), "state": states.get(arn, "UNKNOWN")} for arn in shown],
        "widgets": [_widget(source, each, times) for each in metrics],
    }


def _times(source: Source, widgets: Sequence[Mapping[str, Any]], now: int) -> list[int]:
    """Return the times of the points, up to now."""
    lines = (line for each in widgets for line in _lines(source, each))
    begun = [series.points[0].at for line in lines for series in source.series(line.namespace, line.name)]
    short, long = WINDOWS
    step = (short if now - min(begun, default=now) < short else long) // POINTS
    return [now - now % step - step * back for back in range(POINTS - 1, -1, -1)] + [now]


def _short(arn: str) -> str:
    """Return the name that the template has for an alarm, out of the name that CloudFormation made."""
    found = re.search(r"-(\w+Alarm)(-\w+)?$", arn)
    return found[1] if found else arn.rpartition(":")[2]


def _widget(source: Source, properties: Mapping[str, Any], times: Sequence[int]) -> dict[str, Any]:
    axes = properties.get("yAxis", {})
    lines = list(_lines(source, properties))
    return {
        "title": properties["title"],
        "unit": axes.get("left", {}).get("label", ""),
        "unit_right": axes.get("right", {}).get("label", ""),
        "period": properties["period"],
        "bounds": [{"label": each["label"], "value": each["value"]} for each in _horizontal(properties)],
        "lines": [
            {"label": each.label, "right": each.right, "values": _values(source, each, times, properties["period"])}
            for each in lines
            if source.measures(each.namespace)
        ],
        "unmeasured": [each.label for each in lines if not source.measures(each.namespace)],
    }


def _horizontal(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = properties.get("annotations", {}).get("horizontal", [])
    return found


def _lines(source: Source, properties: Mapping[str, Any]) -> Iterator[Line]:
    before: list[str] = []
    for row in properties["metrics"]:
        path = [each for each in row if isinstance(each, str)]
        options = next((each for each in row if isinstance(each, dict)), {})
        if path[:1] == [_REPEATED]:
            path = before[: len(before) - len(path) + 1] + path[1:]
        before = path
        if "expression" in options:
            yield from _searched(source, options["expression"])
            continue
        namespace, name, *rest = path
        dimensions = dict(zip(rest[::2], rest[1::2], strict=True))
        label, statistic = options.get("label", rest[-1] if rest else name), options.get("stat", properties.get("stat"))
        yield Line(namespace, name, dimensions, label, str(statistic), options.get("yAxis") == "right")


def _searched(source: Source, expression: str) -> Iterator[Line]:
    """Yield the metrics that a search finds, those with the greatest sums first if it sorts them."""
    schema, terms, statistic = _SEARCH.findall(expression)[0]
    namespace, *names = schema.split(",")
    wanted = dict(_FIXED.findall(terms))
    name = wanted.pop("MetricName")
    found = [
        each
        for each in source.series(namespace, name)
        if each.dimensions.keys() == set(names) and wanted.items() <= each.dimensions.items()
    ]
    found.sort(key=lambda each: sum(point.value for point in each.points), reverse=True)
    most = _MOST.search(expression)
    for each in found[: int(most[1]) if most else None]:
        label = ", ".join(value for key, value in each.dimensions.items() if key not in wanted)
        yield Line(namespace, name, each.dimensions, label, statistic, right=False)


def _values(source: Source, line: Line, times: Sequence[int], period: int) -> list[float | None]:
    """Return the statistic of the period that ends at each time; None where nothing was published in it."""
    fitting = [each for each in source.series(line.namespace, line.name) if _is_of(line, each.dimensions)]
    points = sorted(point for each in fitting for point in each.points)
    at = [point.at for point in points]
    known = STATISTICS.get(line.statistic) or _percentile(line.statistic)
    found: list[float | None] = []
    for until in times:
        within = points[bisect_right(at, until - period) : bisect_right(at, until)]
        found.append(known([point.value for point in within]) if within else None)
    return found


def _is_of(line: Line, dimensions: Mapping[str, str]) -> bool:
    """Tell whether a series is of a line; AWS's own metric without dimensions is that of all there are."""
    every = not line.dimensions and line.namespace.startswith("AWS/")
    return every or dict(dimensions) == dict(line.dimensions)


def _percentile(statistic: str) -> Callable[[Sequence[float]], float]:
    share = float(statistic.removeprefix("p")) / 100
    return lambda values: sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


STATISTICS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "Sum": math.fsum,
    "Maximum": max,
    "Minimum": min,
    "Average": lambda values: math.fsum(values) / len(values),
    "SampleCount": len,
}
