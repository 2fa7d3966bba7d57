"""The mends of ministack 1.5.33: one function for each fault that template.yaml cannot bear.

Each mend has two tests. One fails when the mend no longer works, the other when ministack no longer needs it.
"""
# ruff: noqa: SLF001 - ministack offers no public way in; tests/integration/local/engine/test_mends.py holds these names

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from importlib import import_module
from typing import Any

from local.engine import layers
from local.engine.http_api import import_body
from local.engine.measured import mend_embedded_metrics, mend_function_metrics, mend_query_definition
from local.engine.places import mend_worker_places
from local.engine.schedules import mend_schedules


def _ministack(module: str) -> Any:  # noqa: ANN401 - the engine ships no types
    # imported late: ministack reads its environment while it is imported
    return import_module(f"ministack.{module}")


def mend_http_api_body() -> None:
    """Give an AWS::ApiGatewayV2::Api the routes of its `Body`, where SAM writes them and ministack does not look."""
    handlers = _ministack("services.cloudformation.provisioners")._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    create = handlers["create"]

    def create_with_body(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
        api_id, attributes = create(logical_id, properties, stack)
        import_body(api_id, properties.get("Body") or {})
        return api_id, attributes

    handlers["create"] = create_with_body


def mend_max_concurrency_path() -> None:
    """Read a Map's `MaxConcurrencyPath`, which ministack ignores: it runs all items at once, or up to 64."""
    states = _ministack("services.stepfunctions")
    run = states._run_map_items

    def run_bounded(state: dict[str, object], given: object, execution: object, context: object) -> object:
        if path := state.get("MaxConcurrencyPath"):
            most = states._resolve_path_or_ctx(path, states._apply_input_path(state, given, context), context)
            state = {**state, "MaxConcurrency": most}
        return run(state, given, execution, context)

    states._run_map_items = run_bounded


def mend_nested_failure() -> None:
    """Tell of a nested execution that failed by its description, as Step Functions does; ministack tells its own error."""
    states = _ministack("services.stepfunctions")

    def described(payload: dict[str, Any]) -> tuple[str, str]:
        told = {name: value for name, value in payload.items() if not name.startswith("output")}
        return "States.TaskFailed", json.dumps({name[0].upper() + name[1:]: value for name, value in told.items()})

    states._nested_execution_failure = described


def mend_error_class() -> None:
    """Report the exception class and the stack of a failed function, as Lambda does; ministack reports Runtime.HandlerError."""
    runtime, functions = _ministack("core.lambda_runtime"), _ministack("services.lambda_svc")
    told = """"error": str(e), "trace": traceback.format_exc()"""
    whole = """"error": "\\x00" + json.dumps({"errorMessage": str(e), "errorType": type(e).__name__,
                "requestId": context.aws_request_id, "stackTrace": traceback.format_tb(e.__traceback__)[1:]}),
                "trace": traceback.format_exc()"""
    if runtime._PYTHON_WORKER_SCRIPT.count(told) != 1:
        raise ValueError("ministack's worker reports errors in another way than this mend knows")
    runtime._PYTHON_WORKER_SCRIPT = runtime._PYTHON_WORKER_SCRIPT.replace(told, whole)
    execute = functions._execute_function_warm

    def execute_telling_class(function: object, event: object, request_id: str) -> dict[str, Any]:
        result: dict[str, Any] = execute(function, event, request_id)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and body["errorMessage"].startswith("\0"):
            result["body"] = json.loads(body["errorMessage"][1:])
        return result

    functions._execute_function_warm = execute_telling_class


def mend_object_version() -> None:
    """Put the `version-id` into the event "Object Created" of a versioned bucket, where ministack leaves it out."""
    s3, bus = _ministack("services.s3"), _ministack("services.eventbridge")
    fire, dispatch, fired = s3._fire_s3_event, bus._dispatch_event, threading.local()

    def fire_with_version(*event: object, version_id: str | None = None, **more: object) -> None:
        fired.version_id = version_id
        fire(*event, version_id=version_id, **more)

    def dispatch_with_version(event: dict[str, Any], *more: object) -> object:
        version_id = getattr(fired, "version_id", None)
        if event["Source"] == "aws.s3" and version_id:
            detail = json.loads(event["Detail"])
            detail["object"]["version-id"] = version_id
            event = {**event, "Detail": json.dumps(detail)}
        return dispatch(event, *more)

    s3._fire_s3_event, bus._dispatch_event = fire_with_version, dispatch_with_version


def mend_version_range() -> None:
    """Follow `Range` when a version is read; ministack answers the whole version."""
    s3 = _ministack("services.s3")
    read = s3._get_object

    def read_range(bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None) -> object:
        wanted = headers.get("range", "")
        if not wanted or not (query or {}).get("versionId"):
            return read(bucket, key, headers, query)
        # a client would compare the checksum of the whole with the bytes of the range
        whole = {name: value for name, value in headers.items() if name != "x-amz-checksum-mode"}
        status, answered, body = read(bucket, key, whole, query)
        if status != HTTPStatus.OK:
            return status, answered, body
        found = s3._parse_range(wanted, len(body))
        if found is None:
            return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE.value, {}, b""
        start, last = found
        part = body[start : last + 1]
        where = {"Content-Length": str(len(part)), "Content-Range": f"bytes {start}-{last}/{len(body)}"}
        return HTTPStatus.PARTIAL_CONTENT.value, {**answered, **where}, part

    s3._get_object = read_range


def mend_layer_sharing() -> None:
    """Unpack a layer once for all workers; ministack does so for each worker."""
    layers.mend_layer_sharing(_ministack("core.lambda_runtime"))


def mend_bedrock_events() -> None:
    """Take events of Amazon Bedrock from whoever plays it; ministack has none, and takes events of AWS from itself alone."""
    bus = _ministack("services.eventbridge")
    put, names = bus._put_events, {"aws.bedrock"}

    def put_of_bedrock(data: dict[str, Any], allow_aws_source: bool = False) -> object:
        sources = {entry.get("Source") for entry in data.get("Entries", [])}
        return put(data, allow_aws_source or sources == names)

    bus._put_events = put_of_bedrock


def mend_options() -> None:
    """Pass an OPTIONS to the function behind an HTTP API without CORS; ministack refuses the request by itself."""
    gateway = _ministack("services.apigateway")
    handle, invoke = gateway._handle_execute_in_scope, gateway._invoke_lambda_proxy

    def handle_options(api_id: str, stage: str, path: str, method: str, *request: object) -> object:
        plain = method == "OPTIONS" and not gateway._apis[api_id].get("corsConfiguration")
        return handle(api_id, stage, path, "options" if plain else method, *request)

    def invoke_options(
        integration: object, api_id: str, stage: str, path: str, method: str, *request: object, **more: object
    ) -> object:
        return invoke(integration, api_id, stage, path, method.upper(), *request, **more)

    gateway._handle_execute_in_scope, gateway._invoke_lambda_proxy = handle_options, invoke_options


def mend_metric_math_alarm() -> None:
    """Take an alarm on metric math and leave it unevaluated; ministack refuses a template that has one."""
    provisioners = _ministack("services.cloudformation.provisioners")
    record = provisioners._cw_metric_alarm_record

    def record_with_metrics(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        if "Metrics" not in properties:
            return dict(record(name, properties))
        one_metric = {member: value for member, value in properties.items() if member != "Metrics"}
        alarm = record(name, {**one_metric, "Namespace": "none", "MetricName": "none"})
        return {**alarm, "Namespace": "", "MetricName": "", "Metrics": properties["Metrics"]}

    provisioners._cw_metric_alarm_record = record_with_metrics


def mend_log_stream() -> None:
    """Name the function in its streams of a log group that functions share, as Lambda does; ministack leaves it out."""
    functions, logs = _ministack("services.lambda_svc"), _ministack("services.cloudwatch_logs")
    emit, lock = functions._emit_lambda_logs, threading.Lock()

    def emit_naming_function(function: dict[str, Any], *log: object, **more: object) -> None:
        config = function.get("config") or function
        with lock:  # so that the newest stream is the one that this call made
            emit(function, *log, **more)
            streams = logs._log_groups[config["LoggingConfig"]["LogGroup"]]["streams"]
            made = next(reversed(streams))
            streams[made.replace("/[", f"/{config['FunctionName']}[")] = streams.pop(made)

    functions._emit_lambda_logs = emit_naming_function


MENDS: Mapping[str, Callable[[], None]] = {
    "http_api_body": mend_http_api_body,
    "max_concurrency_path": mend_max_concurrency_path,
    "nested_failure": mend_nested_failure,
    "error_class": mend_error_class,
    "object_version": mend_object_version,
    "version_range": mend_version_range,
    "layer_sharing": mend_layer_sharing,
    "bedrock_events": mend_bedrock_events,
    "options": mend_options,
    "metric_math_alarm": mend_metric_math_alarm,
    "log_stream": mend_log_stream,
    "embedded_metrics": mend_embedded_metrics,
    "function_metrics": mend_function_metrics,
    "query_definition": mend_query_definition,
    "schedules": mend_schedules,
    "worker_places": mend_worker_places,
}
