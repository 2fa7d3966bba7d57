"""What ministack measures, for the page of the stack's owner, and the mends that the template's dashboard and query need."""
# ruff: noqa: SLF001 - ministack offers no public way in; tests/integration/local/engine/test_mends.py holds these names

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from local.board import Point, Series

_MEASURED: Final = frozenset({"Batchyard", "AWS/Lambda", "AWS/SQS"})
_EMBEDDED: Final = '"CloudWatchMetrics"'


def mend_embedded_metrics() -> None:
    """Take the metrics out of what functions log in the embedded metric format; ministack leaves them in the log."""
    functions: Any = import_module("ministack.services.lambda_svc")
    cloudwatch: Any = import_module("ministack.services.cloudwatch")
    emit = functions._emit_lambda_logs

    def emit_metrics(function: object, request_id: str, text: str, *more: object, **named: object) -> None:
        emit(function, request_id, text, *more, **named)
        for line in text.splitlines():
            if _EMBEDDED in line:
                with suppress(ValueError):  # as CloudWatch does: a line that is none is a line of the log
                    _record(cloudwatch, json.loads(line[line.index("{") :]))

    functions._emit_lambda_logs = emit_metrics


def _record(cloudwatch: Any, line: Mapping[str, Any]) -> None:  # noqa: ANN401 - the engine ships no types
    for described in line["_aws"]["CloudWatchMetrics"]:
        for names in described["Dimensions"]:
            dimensions = {name: line[name] for name in names}
            for each in described["Metrics"]:
                for value in line[each["Name"]]:
                    cloudwatch.record_metric(described["Namespace"], each["Name"], value, each["Unit"], dimensions)


def mend_function_metrics() -> None:
    """Measure each invocation of a function; ministack measures those alone that a client asked for."""
    functions: Any = import_module("ministack.services.lambda_svc")
    cloudwatch: Any = import_module("ministack.services.cloudwatch")
    emit, measure = functions._emit_lambda_logs, functions._emit_lambda_metrics

    def emit_measuring(
        function: Mapping[str, Any], request_id: str, text: str, error: bool, milliseconds: int, **named: object
    ) -> None:  # fmt: skip
        emit(function, request_id, text, error, milliseconds, **named)
        name = (function.get("config") or function)["FunctionName"]
        for metric, value in (("Invocations", 1), ("Errors", int(error)), ("Duration", milliseconds)):
            cloudwatch.record_metric("AWS/Lambda", metric, value, "None", {"FunctionName": name})

    def measure_throttled(*given: object, **named: object) -> None:
        if named.get("throttle"):  # it never ran; one that did is measured above
            measure(*given, **named)

    functions._emit_lambda_logs, functions._emit_lambda_metrics = emit_measuring, measure_throttled


def mend_query_definition() -> None:
    """Take a saved query of CloudWatch Logs, which nobody runs here; ministack refuses a template that has one."""
    provisioners: Any = import_module("ministack.services.cloudformation.provisioners")

    def create(_logical_id: str, _properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, Any]]:
        made = str(uuid.uuid4())
        return made, {"QueryDefinitionId": made}

    provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
        "create": create,
        "delete": lambda _physical_id, _properties: None,
    }


class Measured:
    """What ministack has measured so far."""

    def __init__(self) -> None:
        """Read the services of this process."""
        self._cloudwatch: Any = import_module("ministack.services.cloudwatch")
        self._sqs: Any = import_module("ministack.services.sqs")

    def dashboard(self) -> str | None:
        """Return the body of the one dashboard."""
        return next(
            (str(self._cloudwatch._dashboards[name]["DashboardBody"]) for name in self._cloudwatch._dashboards), None
        )

    def alarms(self) -> Mapping[str, str]:
        """Evaluate the alarms, and return the state of each by its ARN; one on metric math is not evaluated."""
        self._cloudwatch._evaluate_all_alarms()
        alarms = (self._cloudwatch._alarms[name] for name in self._cloudwatch._alarms)
        return {each["AlarmArn"]: _state(each) for each in alarms if each.get("MetricName") and _is_measured(each)}

    def measures(self, namespace: str) -> bool:
        """Tell whether anything of a namespace is measured."""
        return namespace in _MEASURED

    def series(self, namespace: str, name: str) -> Sequence[Series]:
        """Return every series of a metric; of a queue there is the number of messages at this moment."""
        if namespace == "AWS/SQS":
            return self._queues()
        metrics = self._cloudwatch._metrics
        found = [list(metrics[key]) for key in metrics if key[:2] == (namespace, name)]
        return [Series(points[0]["Dimensions"], [_point(each) for each in points]) for points in found if points]

    def _queues(self) -> Sequence[Series]:
        now = time.time()
        queues = (self._sqs._queues[url] for url in self._sqs._queues)
        return [Series({"QueueName": each["name"]}, [Point(now, len(each["messages"]))]) for each in queues]


def _state(alarm: Mapping[str, Any]) -> str:
    """Return the state of an alarm; where missing data breaches nothing, an alarm without data is in order at CloudWatch."""
    missing = alarm["StateValue"] == "INSUFFICIENT_DATA" and alarm.get("TreatMissingData") == "notBreaching"
    return "OK" if missing else str(alarm["StateValue"])


def _is_measured(alarm: Mapping[str, Any]) -> bool:
    return alarm.get("Namespace") in _MEASURED - {"AWS/SQS"}


def _point(stored: Mapping[str, Any]) -> Point:
    return Point(stored["Timestamp"], stored["Value"])
