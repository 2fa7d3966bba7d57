"""The dashboard as data: its metrics are published, its lines are those of the alarms, and it leaves nothing out."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from batchyard.observability import METRICS, NAMESPACE, VALUES
from tests.fakes.services import made_up_settings
from tests.unit.template.cloudwatch import Metric, metric, metric_of
from tests.unit.template.documents import ROOT, Json, references, resources, template
from tests.unit.template.published import published

OUR_STACK: Final = "AWS::StackName"
#: AWS's own metrics, and by which dimension each is published, if by one. Sources, all below https://docs.aws.amazon.com/:
#: lambda/latest/dg/monitoring-metrics-types.html, step-functions/latest/dg/procedure-cw-metrics.html,
#: AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html,
#: amazondynamodb/latest/developerguide/metrics-dimensions.html,
#: apigateway/latest/developerguide/http-api-metrics.html; seen in November 2026.
OF_AWS: Final = {
    ("AWS/Lambda", "Errors"): {"FunctionName"},
    ("AWS/Lambda", "Duration"): {"FunctionName"},
    ("AWS/Lambda", "Throttles"): set(),  # without a dimension: of all functions
    ("AWS/States", "ExecutionThrottled"): {"StateMachineArn"},
    ("AWS/States", "ExecutionsTimedOut"): {"StateMachineArn"},
    ("AWS/States", "ThrottledEvents"): {"APIName"},
    ("AWS/States", "OpenExecutionCount"): set(),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {"QueueName"},
    ("AWS/DynamoDB", "ReadThrottleEvents"): {"TableName"},
    ("AWS/DynamoDB", "WriteThrottleEvents"): {"TableName"},
    ("AWS/ApiGateway", "5xx"): {"ApiId"},
}
KINDS: Final = {
    "FunctionName": "AWS::Serverless::Function",
    "StateMachineArn": "AWS::Serverless::StateMachine",
    "QueueName": "AWS::SQS::Queue",
    "TableName": "AWS::DynamoDB::Table",
    "ApiId": "AWS::Serverless::HttpApi",
}
STATISTICS: Final = re.compile(r"Sum|Maximum|Minimum|Average|SampleCount|p\d\d")
ALARMS: Final = resources("AWS::CloudWatch::Alarm")


@cache
def body() -> Json:
    (dashboard,) = resources("AWS::CloudWatch::Dashboard").values()
    text, names = dashboard["DashboardBody"]["Fn::Sub"]
    for name, told in names.items():  # of a resource that a stack may be without
        text = text.replace(f"${{{name}}}", f"${{{told['Fn::If'][1]['Ref']}}}")
    return json.loads(text)


def widgets(kind: str = "metric") -> list[Json]:
    return [each["properties"] for each in body()["widgets"] if each["type"] == kind]


def rows(widget: Json) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Yield the path and the options of each metric; CloudWatch takes `...` for what the metric before has in that place."""
    before: list[str] = []
    for each in widget["metrics"]:
        path, options = (
            [item for item in each if isinstance(item, str)],
            [item for item in each if isinstance(item, dict)],
        )
        if path[:1] == ["..."]:
            path = before[: len(before) - len(path) + 1] + path[1:]
        assert len(options) <= 1
        yield path, options[0] if options else {}
        before = path


def metric_at(path: list[str]) -> Metric:
    namespace, name, *rest = path
    names, values = rest[::2], [re.sub(r"^\$\{([\w:]+)(\.\w+)?\}$", r"\1", value) for value in rest[1::2]]
    return metric(namespace, name, **dict(zip(names, values, strict=True)))


def drawn() -> list[Metric]:
    return [metric_at(path) for widget in widgets() for path, _ in rows(widget) if path]


def searched() -> Iterator[tuple[str, set[str], dict[str, str]]]:
    """Yield name, dimensions and fixed values of what is searched for."""
    for widget in widgets():
        for _, options in rows(widget):
            if (expression := options.get("expression")) is not None:
                (schema,) = re.findall(r"SEARCH\('\{([^}]+)\}", expression)
                namespace, *names = schema.split(",")
                assert namespace == NAMESPACE
                fixed = dict(re.findall(r'(\w+)="([^"]+)"', expression))
                yield fixed.pop("MetricName"), set(names), fixed


def watched() -> list[Metric]:
    described = [
        each
        for alarm in ALARMS.values()
        for each in (
            [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", ()) if "MetricStat" in query] or [alarm]
        )
    ]
    return [metric_of(each) for each in described]


SHOWN: Final = sorted({*drawn(), *watched()})
OURS: Final = [each for each in SHOWN if each.namespace == NAMESPACE]


@pytest.mark.parametrize(
    "shown", SHOWN, ids=lambda each: "-".join([each.name, *(value for _, value in each.dimensions)])
)
def test_a_metric_of_dashboard_and_alarms_is_one_that_is_known_by_just_these_dimensions(shown: Metric) -> None:
    dimensions = dict(shown.dimensions)
    if shown.namespace == NAMESPACE:
        assert dimensions.pop("service") == OUR_STACK
        assert tuple(dimensions) in METRICS[shown.name].by
        assert all(value in VALUES[name] for name, value in dimensions.items())
        return
    assert dimensions.keys() == OF_AWS[shown.namespace, shown.name]
    for name, value in dimensions.items():
        if name in KINDS:
            assert template()["Resources"][value]["Type"] == KINDS[name]


@pytest.mark.parametrize(
    "shown", OURS, ids=lambda each: "-".join([each.name, *(value for _, value in each.dimensions)])
)
def test_a_metric_of_dashboard_and_alarms_is_published_by_a_path_of_the_code(shown: Metric) -> None:
    assert shown in published()


def test_what_is_searched_for_is_published_with_these_dimensions() -> None:
    found = list(searched())
    assert [name for name, _, _ in found] == ["DollarsSpent", "DollarsSpent"]
    assert [names - {"service"} for _, names, _ in found] == [{"model"}, {"provider"}]
    for name, dimensions, fixed in found:
        assert fixed == {"service": "${AWS::StackName}"}
        assert tuple(sorted(dimensions - {"service"})) in METRICS[name].by
        models = {dict(each.dimensions).get("model") for each in published() if each.name == name}
        assert models == {None, "gpt-4.1-mini"}
        providers = {dict(each.dimensions).get("provider") for each in published() if each.name == name}
        assert providers == {None, urlsplit(made_up_settings().provider_base_url).netloc}


@pytest.mark.parametrize(
    ("name", "by"),
    [
        (name, by)
        for name, known in METRICS.items()
        for by in known.by
        if known.by != ((),) and by in {(each,) for each in VALUES}
    ],
)
def test_each_value_of_a_dimension_is_drawn(name: str, by: tuple[str]) -> None:
    shown = {dict(each.dimensions)[by[0]] for each in OURS if each.name == name and by[0] in dict(each.dimensions)}
    assert shown == set(VALUES[by[0]])


def test_nothing_is_published_that_is_not_declared() -> None:
    for each in published():
        by = tuple(name for name, _ in each.dimensions if name != "service")
        assert by in METRICS[each.name].by, each
        assert all(value in VALUES[name] for name, value in each.dimensions if name in VALUES), each


def test_every_declared_metric_stands_in_the_code_that_publishes_it() -> None:
    core = ROOT / "layers/core/batchyard"
    texts = {
        node.value
        for path in core.rglob("*.py")
        if path.name != "observability.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert METRICS.keys() <= texts
    counted = {
        name
        for path in core.rglob("*.py")
        for found in re.findall(r'\.count(?:_many)?\(\s*"([A-Z]\w+)"|\.done\["(\w+)"\]', path.read_text("utf-8"))
        for name in found
        if name
    }
    assert counted
    assert counted <= METRICS.keys()


def test_all_alarms_of_the_stack_are_on_the_dashboard() -> None:
    (widget,) = widgets("alarm")
    assert set(widget["alarms"]) == {f"${{{name}.Arn}}" for name in ALARMS}


def test_the_errors_of_each_function_are_drawn() -> None:
    (widget,) = [each for each in widgets() if each["title"] == "Errors of functions"]
    shown = {value for path, _ in rows(widget) for _, value in metric_at(path).dimensions}
    assert shown == set(resources("AWS::Serverless::Function"))


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_is_drawn_as_a_line_over_its_own_metrics(name: str) -> None:
    lines = [
        (widget, line["value"])
        for widget in widgets()
        for line in widget.get("annotations", {}).get("horizontal", ())
        if name in line["label"]
    ]
    ((widget, value),) = lines
    assert value == ALARMS[name]["Threshold"]
    alarm = ALARMS[name]
    described = [query["MetricStat"] for query in alarm.get("Metrics", ()) if "MetricStat" in query]
    own = {metric_of(each["Metric"]) for each in described} or {metric_of(alarm)}
    statistics = {each["Stat"] for each in described} or {alarm["Statistic"]}
    assert own <= {metric_at(path) for path, _ in rows(widget) if path}
    assert statistics == {widget["stat"]}


def test_each_widget_says_what_it_shows_and_fits_the_grid() -> None:
    titles = [each["title"] for each in widgets()]
    assert len(titles) == len(set(titles))
    width = 0
    for each in body()["widgets"]:
        width = (width + each["width"]) % 24 if width + each["width"] <= 24 else -1
        assert width >= 0, each["properties"]["title"]
    for widget in widgets():
        assert widget["region"] == "${AWS::Region}"
        for path, options in rows(widget):
            assert not path or STATISTICS.fullmatch(options.get("stat", widget.get("stat", "")))


def test_the_query_of_one_batch_reads_every_log_group_and_asks_for_its_id_alone() -> None:
    (query,) = resources("AWS::Logs::QueryDefinition").values()
    assert references(query["LogGroupNames"]) == set(resources("AWS::Logs::LogGroup"))
    assert re.findall(r"\| filter (.*)", query["QueryString"]) == ['@message like "batch_PUT_THE_ID_HERE"']


def test_the_page_for_operators_has_the_query_and_every_metric() -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    swept = (ROOT / "docs/failures.md").read_text(encoding="utf-8")
    (query,) = resources("AWS::Logs::QueryDefinition").values()
    assert "\n".join(line.strip() for line in query["QueryString"].splitlines()) in page
    assert [name for name in METRICS if f"`{name}`" not in page and f"`{name}`" not in swept] == []
    for values in VALUES.values():
        assert [value for value in values if f"`{value}`" not in page] == []
