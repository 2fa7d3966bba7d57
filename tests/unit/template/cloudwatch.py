"""CloudWatch as it evaluates an alarm, played over metric data.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

import itertools
import json
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from tests.unit.template.documents import Json, references

STATISTICS: Final[Mapping[str, Callable[[list[float]], float]]] = {"Sum": sum, "Maximum": max}
COMPARISONS: Final = {"GreaterThanThreshold": operator.gt}
SUM_OF_ALL: Final = "SUM(FILL(METRICS(), 0))"


class Metric(NamedTuple):
    """One metric; the value of a dimension is the logical id, the pseudo parameter or the word that it names."""

    namespace: str
    name: str
    #: The names of the dimensions and their values, sorted.
    dimensions: tuple[tuple[str, str], ...] = ()


def metric(namespace: str, name: str, **dimensions: str) -> Metric:
    """Make a metric of a namespace with these dimensions."""
    return Metric(namespace, name, tuple(sorted(dimensions.items())))


class Data:
    """What was published, by metric: (second, value)."""

    def __init__(self, points: Iterable[tuple[Metric, float, float]] = ()) -> None:
        self._points = defaultdict[Metric, list[tuple[float, float]]](list)
        for metric, second, value in points:
            self._points[metric].append((second, value))

    def statistic(self, metric: Metric, statistic: str, start: float, period: float) -> float | None:
        """Aggregate one period; None where nothing was published."""
        values = [value for second, value in self._points[metric] if start <= second < start + period]
        return STATISTICS[statistic](values) if values else None


def emitted(printed: str, second: float) -> Iterator[tuple[Metric, float, float]]:
    """Yield what functions printed in CloudWatch's embedded metric format, as CloudWatch takes it at that second."""
    for line in (json.loads(text) for text in printed.splitlines() if "CloudWatchMetrics" in text):
        for described in line["_aws"]["CloudWatchMetrics"]:
            for dimensions, each in itertools.product(described["Dimensions"], described["Metrics"]):
                of = {name: line[name] for name in dimensions}
                for value in line[each["Name"]]:
                    yield metric(described["Namespace"], each["Name"], **of), second, value


def alarms_at(alarm: Json, data: Data, seconds: float) -> list[float]:
    """Return the ends of the periods after which the alarm is in the state ALARM.

    A period without data is none that breaches: all our alarms say so. Real CloudWatch may look further back for data in
    place of what is missing, which makes an alarm last longer and never come later.
    """
    assert alarm["TreatMissingData"] == "notBreaching"
    period = _period(alarm)
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    of_last, needed = alarm["EvaluationPeriods"], alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    breaching, found = list[bool](), list[float]()
    for start in range(0, int(seconds), period):
        value = _value(alarm, data, start, period)
        breaching.append(value is not None and breaches(value, alarm["Threshold"]))
        if sum(breaching[-of_last:]) >= needed:
            found.append(start + period)
    return found


def metric_of(described: Json) -> Metric:
    """Read a metric as the template names it for an alarm."""
    values = {each["Name"]: each["Value"] for each in described.get("Dimensions", ())}
    of = {name: value if isinstance(value, str) else references(value).pop() for name, value in values.items()}
    return metric(described["Namespace"], described["MetricName"], **of)


def _period(alarm: Json) -> int:
    if "Metrics" not in alarm:
        return int(alarm["Period"])
    (period,) = {query["MetricStat"]["Period"] for query in alarm["Metrics"] if "MetricStat" in query}
    return int(period)


def _value(alarm: Json, data: Data, start: float, period: float) -> float | None:
    if "Metrics" not in alarm:
        return data.statistic(metric_of(alarm), alarm["Statistic"], start, period)
    (expression,) = [query["Expression"] for query in alarm["Metrics"] if "Expression" in query]
    assert expression == SUM_OF_ALL, "the only expression these tests know"
    stats = [query["MetricStat"] for query in alarm["Metrics"] if "MetricStat" in query]
    return sum(data.statistic(metric_of(stat["Metric"]), stat["Stat"], start, period) or 0 for stat in stats)
