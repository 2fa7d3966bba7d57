"""Every function folder is deployed, is told what it reads, and is watched where it can fail unseen."""

from typing import Any

import msgspec
import pytest
from aws_lambda_powertools.shared import constants

from batchyard.adapters.event_bus import BUDGET_WARNED, NAMES
from batchyard.domain.statuses import ENDED
from batchyard.settings import Settings
from batchyard.webhooks.notification import KINDS
from tests.benchmarks.importing import PARTS
from tests.unit.template.documents import (
    ROOT,
    Json,
    expanded,
    functions,
    references,
    resources,
    statements_of,
    template,
    unconditional,
)

FIELDS = {field.name.upper(): field for field in msgspec.structs.fields(Settings)}
each_function = pytest.mark.parametrize("name", functions())
each_field = pytest.mark.parametrize("variable", FIELDS)


def everywhere() -> dict[str, Json]:
    variables: dict[str, Json] = template()["Globals"]["Function"]["Environment"]["Variables"]
    return variables


def own(name: str) -> dict[str, Json]:
    variables: dict[str, Json] = functions()[name].get("Environment", {}).get("Variables", {})
    return variables


def actions(name: str, target: str) -> set[str]:
    found: set[str] = set()
    for statement in (each for each in statements_of(functions()[name]) if target in references(each["Resource"])):
        found |= {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])
    return found


def test_every_function_folder_has_a_resource_of_its_name_and_the_other_way_round() -> None:
    folders = {path.parent.name for path in ROOT.glob("functions/*/handler.py")}
    assert {properties["CodeUri"]: name for name, properties in functions().items()} == {
        f"functions/{folder}": f"{folder.capitalize()}Function" for folder in folders
    }


def test_the_benchmark_of_cold_starts_knows_every_function() -> None:
    assert PARTS.keys() == {each["CodeUri"].removeprefix("functions/") for each in functions().values()}


@each_function
def test_a_function_folder_holds_nothing_to_build(name: str) -> None:
    folder = ROOT / functions()[name]["CodeUri"]
    assert template()["Resources"][name]["Metadata"] == {"SkipBuild": True}
    assert {path.suffix for path in folder.iterdir() if path.is_file()} == {".py"}


@each_field
def test_what_settings_reads_the_template_sets(variable: str) -> None:
    everyone = {variable} & set(everywhere())
    assert everyone or any(variable in own(name) for name in functions())
    if FIELDS[variable].required:
        assert everyone


def test_the_template_sets_nothing_that_nobody_reads() -> None:
    known = {value for name, value in vars(constants).items() if name.isupper() and isinstance(value, str)}
    given = set(everywhere()).union(*(own(name) for name in functions()))
    assert {variable for variable in given if not variable.startswith("POWERTOOLS_")} == set(FIELDS)
    assert {variable for variable in given if variable.startswith("POWERTOOLS_")} <= known


@each_field
def test_a_parameter_defaults_to_what_settings_defaults_to(variable: str) -> None:
    default = FIELDS[variable].default
    parameter: Any = everywhere().get(variable, {}).get("Ref")
    if default is not msgspec.NODEFAULT and parameter:
        assert template()["Parameters"][parameter]["Default"] == default


@pytest.mark.parametrize(
    ("variable", "action"),
    [
        ("STATE_MACHINE_ARN", "states:StartExecution"),
        ("WEBHOOK_STATE_MACHINE_ARN", "states:StartExecution"),
        ("CANCEL_FUNCTION", "lambda:InvokeFunction"),
        ("ADVANCE_FUNCTION", "lambda:InvokeFunction"),
        ("GATHER_FUNCTION", "lambda:InvokeFunction"),
    ],
)
def test_who_is_told_of_another_resource_may_use_it_and_the_other_way_round(variable: str, action: str) -> None:
    told = {name: own(name)[variable]["Ref"] for name in functions() if variable in own(name)}
    assert told
    (target,) = set(told.values())
    assert set(told) == {name for name in functions() if action in actions(name, target)}


def test_every_function_logs_into_the_one_group_that_all_share() -> None:
    logging = [each["LoggingConfig"] for each in resources("AWS::Lambda::Function", expanded()).values()]
    assert len(logging) == len(functions())
    assert logging == [{"LogGroup": {"Ref": "FunctionLogs"}, "LogFormat": "Text"}] * len(logging)


def test_lambda_filters_no_line_for_it_would_take_a_metric_for_a_message_of_the_level_info() -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html: the JSON format alone is filtered
    assert template()["Globals"]["Function"]["LoggingConfig"]["LogFormat"] == "Text"
    assert everywhere()["POWERTOOLS_LOG_LEVEL"] == {
        "Ref": "LogLevel"
    }  # the messages of our own logger are filtered by it


def test_every_log_group_expires_and_is_used() -> None:
    groups = resources("AWS::Logs::LogGroup")
    others = [body for name, body in template()["Resources"].items() if name not in groups]
    used = references([template()["Globals"], *others])
    for name, properties in groups.items():
        assert properties["RetentionInDays"] == {"Ref": "LogDays"}
        assert name in used


def test_concurrency_is_reserved_for_who_waits_for_an_answer_if_wished_and_otherwise_not_for_a_new_account_has_none() -> (
    None
):
    reserved = {
        name: body["ReservedConcurrentExecutions"]
        for name, body in functions().items()
        if "ReservedConcurrentExecutions" in body
    }
    assert reserved == {
        "ApiFunction": {"Fn::If": ["ReserveForApi", {"Ref": "ApiConcurrency"}, {"Ref": "AWS::NoValue"}]},
        "DeliverFunction": {"Fn::If": ["ReserveForWebhooks", {"Ref": "WebhookConcurrency"}, {"Ref": "AWS::NoValue"}]},
    }
    for name, parameter in (("ReserveForApi", "ApiConcurrency"), ("ReserveForWebhooks", "WebhookConcurrency")):
        assert template()["Conditions"][name] == {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, 0]}]}
        assert template()["Parameters"][parameter]["Default"] == 0


def test_what_is_invoked_asynchronously_leaves_a_dead_letter_when_it_fails() -> None:
    on_events = {
        name
        for name, properties in functions().items()
        for event in properties.get("Events", {}).values()
        if event["Type"] in {"EventBridgeRule", "ScheduleV2"}
    }
    asynchronous = on_events | {"CancelFunction", "AdvanceFunction", "TriggerFunction"}
    configured = {name for name, properties in functions().items() if "EventInvokeConfig" in properties}
    assert configured == asynchronous
    for name in asynchronous:
        destination = functions()[name]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        assert references(destination) == {"DeadLetters"}


def test_every_event_source_leaves_a_dead_letter_when_nobody_takes_it() -> None:
    events = [event for properties in functions().values() for event in properties.get("Events", {}).values()]
    senders = [event["Properties"] for event in events if event["Type"] in {"EventBridgeRule", "ScheduleV2"}]
    assert len(senders) == 7
    for sender in senders:
        assert references(sender["DeadLetterConfig"]) == {"DeadLetters"}
        assert sender["RetryPolicy"]["MaximumRetryAttempts"] > 0


def test_the_queue_takes_the_dead_letters_of_every_rule_and_of_no_other() -> None:
    (policy,) = resources("AWS::SQS::QueuePolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Principal"]) == ("sqs:SendMessage", {"Service": "events.amazonaws.com"})
    assert references([policy["Queues"], statement["Resource"]]) == {"DeadLetters"}
    rules = resources("AWS::Events::Rule", expanded())
    assert statement["Condition"].keys() == {"ArnEquals"}
    senders = [unconditional(each) for each in statement["Condition"]["ArnEquals"]["aws:SourceArn"]]
    assert sorted(map(str, senders)) == sorted(str({"Fn::GetAtt": [rule, "Arn"]}) for rule in rules)


def test_the_schedule_may_leave_its_dead_letters() -> None:
    (schedule,) = resources("AWS::Scheduler::Schedule", expanded()).values()
    (role,) = references(schedule["Target"]["RoleArn"])
    policies = resources("AWS::IAM::Role", expanded())[role]["Policies"]
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    assert {"DeadLetters"} in [
        references(item["Resource"]) for item in statements if item["Action"] == "sqs:SendMessage"
    ]


def test_every_state_change_that_no_catch_sees_reaches_the_sweep() -> None:
    pattern = functions()["SweepFunction"]["Events"]["ExecutionEnded"]["Properties"]["Pattern"]
    assert pattern["source"] == ["aws.states"]
    assert pattern["detail-type"] == ["Step Functions Execution Status Change"]
    assert pattern["detail"] == {
        "stateMachineArn": [{"Ref": "BatchStateMachine"}],
        "status": ["FAILED", "TIMED_OUT", "ABORTED"],
    }


def test_every_end_of_a_batch_and_every_warning_that_the_bus_tells_reaches_the_webhooks() -> None:
    properties = functions()["NotifyFunction"]["Events"]["BatchEnded"]["Properties"]
    assert properties["EventBusName"] == {"Ref": "EventBus"}
    ends = [f"Batch {NAMES[status]}" for status in ENDED]
    assert properties["Pattern"].keys() == {"source", "detail-type"}
    assert properties["Pattern"]["source"] == ["batchyard"]
    assert sorted(properties["Pattern"]["detail-type"]) == sorted([*ends, BUDGET_WARNED])


def test_every_end_of_a_batch_of_a_schedule_reaches_the_firing_that_may_wait_for_it() -> None:
    properties = functions()["TriggerFunction"]["Events"]["BatchEnded"]["Properties"]
    assert properties["EventBusName"] == {"Ref": "EventBus"}
    assert properties["Pattern"] == {
        "source": ["batchyard"],
        "detail-type": ["Batch Completed", "Batch Failed", "Batch Cancelled"],
        "detail": {"schedule": [{"prefix": "sched_"}]},
    }
    assert {f"Batch {NAMES[status]}" for status in ENDED} == {*properties["Pattern"]["detail-type"]}


def test_each_kind_of_notification_reaches_who_tells_people() -> None:
    properties = functions()["InformFunction"]["Events"]["ToldOnTheBus"]["Properties"]
    assert properties["EventBusName"] == {"Ref": "EventBus"}
    assert properties["Pattern"] == {"source": ["batchyard"], "detail-type": sorted(KINDS)}


def test_without_an_address_nothing_is_made_for_notifications() -> None:
    made = template()["Resources"] | template()["Outputs"]
    conditions = {name: body["Condition"] for name, body in made.items() if "Condition" in body}
    assert {name for name, condition in conditions.items() if condition.startswith("Notify")} == {
        "ChatSecret", "ChatSecretArn", "InformFunction", "NotificationMail", "NotificationTopic", "NotificationTopicArn",
    }  # fmt: skip
    for name in ("NotifyEmail", "NotifyChat"):
        assert template()["Parameters"][name]["Default"] == ""
    of_mail, of_chat = (template()["Conditions"][name] for name in ("NotifyByMail", "NotifyInChat"))
    assert of_mail == {"Fn::Not": [{"Fn::Equals": [{"Ref": "NotifyEmail"}, ""]}]}
    assert of_chat == {"Fn::Not": [{"Fn::Equals": [{"Ref": "NotifyChat"}, ""]}]}
    assert template()["Conditions"]["Notify"] == {
        "Fn::Or": [{"Condition": "NotifyByMail"}, {"Condition": "NotifyInChat"}]
    }
    rules = [name for name in resources("AWS::Events::Rule", expanded()) if name.startswith("Inform")]
    assert [expanded()["Resources"][name]["Condition"] for name in rules] == ["Notify"]


def test_only_uploads_into_the_inbox_reach_intake() -> None:
    pattern = functions()["IntakeFunction"]["Events"]["Upload"]["Properties"]["Pattern"]
    assert pattern == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [{"Ref": "DataBucket"}]}, "object": {"key": [{"prefix": "inbox/"}]}},
    }


def operations() -> dict[str, Json]:
    """Return by method and path what SAM makes of the API."""
    (api,) = resources("AWS::ApiGatewayV2::Api", expanded()).values()
    return {
        f"{method} {path}": operation
        for path, methods in api["Body"]["paths"].items()
        for method, operation in methods.items()
    }


def test_every_request_reaches_the_api_function_by_the_one_route_there_is() -> None:
    (operation,) = operations().values()
    assert set(operations()) == {"x-amazon-apigateway-any-method $default"}
    integration = operation["x-amazon-apigateway-integration"]
    assert (integration["type"], integration["payloadFormatVersion"]) == ("aws_proxy", "2.0")
    assert references(integration["uri"]) >= {"ApiFunction"}


def test_one_permission_lets_this_gateway_invoke_the_api_function_and_no_other() -> None:
    permissions = resources("AWS::Lambda::Permission", expanded()).values()
    (given,) = [each for each in permissions if each["Principal"] == "apigateway.amazonaws.com"]
    assert given["FunctionName"] == {"Ref": "ApiFunction"}
    assert "HttpApi" in references(given["SourceArn"])


def test_a_path_reaches_the_function_without_the_name_of_a_stage_before_it() -> None:
    (stage,) = resources("AWS::ApiGatewayV2::Stage", expanded()).values()
    assert stage["StageName"] == "$default"


def test_the_gateway_answers_and_refuses_nobody_by_itself_for_its_words_are_not_openais() -> None:
    (api,) = resources("AWS::ApiGatewayV2::Api", expanded()).values()
    assert not {"CorsConfiguration"} & set(api)  # with which it would answer every OPTIONS
    assert not {"security", "securityDefinitions", "x-amazon-apigateway-cors"} & set(api["Body"])
    assert not [route for route, operation in operations().items() if operation.get("security")]
