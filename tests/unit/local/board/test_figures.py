"""The page of the stack's owner computes what CloudWatch would: statistics of a period, shorthand, searches."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from local.board.figures import Point, Series, figures

NOW = 1_800_000_000.0
ARN = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:batchyard-GivenUpAlarm-1A2B3C"


class Told:
    """A source that says what a test tells it."""

    def __init__(self, widgets: list[Any], measured: Mapping[tuple[str, str], list[Series]]) -> None:
        self.body, self.measured = json.dumps({"widgets": widgets}), measured

    def dashboard(self) -> str | None:
        return self.body

    def alarms(self) -> Mapping[str, str]:
        return {ARN: "ALARM"}

    def measures(self, namespace: str) -> bool:
        return namespace != "AWS/States"

    def series(self, namespace: str, name: str) -> Sequence[Series]:
        return self.measured.get((namespace, name), [])


def widget(metrics: list[Any], **properties: Any) -> dict[str, Any]:
    return {
        "type": "metric",
        "properties": {"title": "One", "period": 60, "stat": "Sum", "metrics": metrics, **properties},
    }


def shown(metrics: list[Any], measured: Mapping[tuple[str, str], list[Series]], **properties: Any) -> dict[str, Any]:
    (one,) = figures(Told([widget(metrics, **properties)], measured), NOW)["widgets"]
    found: dict[str, Any] = one
    return found


def lines(*points: tuple[float, float], **dimensions: str) -> Series:
    return Series({"service": "b", **dimensions}, [Point(NOW - back, value) for back, value in points])


def latest(found: dict[str, Any]) -> dict[str, float | None]:
    return {line["label"]: line["values"][-1] for line in found["lines"]}


@pytest.mark.parametrize(
    ("statistic", "value"),
    [
        ("Sum", 60.0),
        ("Maximum", 30.0),
        ("Minimum", 10.0),
        ("Average", 20.0),
        ("SampleCount", 3),
        ("p90", 30.0),
        ("p50", 20.0),
    ],
)
def test_a_statistic_is_that_of_the_period_which_ends_at_each_time(statistic: str, value: float) -> None:
    measured = {("B", "Done"): [lines((300, 1_000), (59, 10), (30, 30), (1, 20))]}
    found = shown([["B", "Done", "service", "b"]], measured, stat=statistic)
    assert latest(found) == {"b": value}


def test_where_nothing_was_published_in_a_period_there_is_no_point() -> None:
    found = shown([["B", "Done", "service", "b"]], {("B", "Done"): [lines((400, 5))]})
    values = found["lines"][0]["values"]
    assert values[-1] is None
    assert {value for value in values if value is not None} == {5}


def test_dots_stand_for_what_the_metric_before_has_in_that_place() -> None:
    measured = {("B", "Calls"): [lines((9, 1), call="upload"), lines((9, 2), call="create")]}
    rows = [["B", "Calls", "service", "b", "call", "upload"], ["...", "create", {"label": "made"}]]
    assert latest(shown(rows, measured)) == {"upload": 1, "made": 2}


def test_a_search_finds_the_series_with_these_dimensions_alone_the_greatest_first() -> None:
    models = [lines((9, amount), model=name) for name, amount in (("small", 1), ("large", 5), ("middle", 3))]
    measured = {("B", "Spent"): [lines((9, 9)), *models, Series({"service": "other", "model": "x"}, [Point(NOW, 99)])]}
    search = "SORT(SEARCH('{B,model,service} MetricName=\"Spent\" service=\"b\"', 'Sum', 3600), SUM, DESC, 2)"
    found = shown([[{"expression": search, "id": "models"}]], measured)
    assert list(latest(found).items()) == [("large", 5), ("middle", 3)]


def test_aws_s_own_metric_without_a_dimension_is_that_of_all_and_ours_is_not() -> None:
    both = [Series({"FunctionName": name}, [Point(NOW - 1, 1)]) for name in "ab"]
    assert latest(shown([["AWS/Lambda", "Throttles"]], {("AWS/Lambda", "Throttles"): both})) == {"Throttles": 2}
    assert latest(shown([["B", "Throttles"]], {("B", "Throttles"): both})) == {"Throttles": None}


def test_what_is_not_measured_here_says_so_and_is_no_line_at_nought() -> None:
    found = shown([["AWS/States", "OpenExecutionCount", {"label": "executions"}]], {})
    assert (found["lines"], found["unmeasured"]) == ([], ["executions"])


def test_the_charts_show_ten_minutes_until_something_is_older_and_then_the_hour() -> None:
    for back, window in ((300, 600), (900, 3_600)):
        measured = {("B", "Done"): [lines((back, 1))]}
        times = figures(Told([widget([["B", "Done", "service", "b"]])], measured), NOW)["times"]
        assert times == sorted(times)
        assert window * 0.9 < times[-1] - times[0] <= window


def test_an_alarm_has_the_name_that_the_template_gives_it_and_its_state() -> None:
    alarms = {"type": "alarm", "properties": {"title": "Alarms", "alarms": [ARN, f"{ARN}4"]}}
    told = figures(Told([alarms], {}), NOW)["alarms"]
    assert told == [{"name": "GivenUpAlarm", "state": "ALARM"}, {"name": "GivenUpAlarm", "state": "UNKNOWN"}]


def test_without_a_dashboard_there_is_nothing_to_show() -> None:
    source = Told([], {})
    source.dashboard = lambda: None  # type: ignore[method-assign]  # as of a stack with Dashboard=false
    assert figures(source, NOW)["widgets"] == []
