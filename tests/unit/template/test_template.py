"""The rest of the template: parameters, alarms, what is kept, and that it is sound as a whole."""

import re
import tomllib
from graphlib import TopologicalSorter

import pytest

from batch_client import PROFILES
from local.stack.settings import SECRETS
from tests.unit.template.documents import (
    INTEGRATIONS,
    ROOT,
    Json,
    expanded,
    functions,
    references,
    resources,
    state_machine,
    template,
    walk,
)

OUR_OWN = "published by the functions, under the name of the stack"
# namespace and metric -> the dimension it is published under, if any, and what kind of resource that names, or what itself
# (the "metrics and dimensions" pages of SQS, API Gateway for HTTP APIs, Step Functions and Lambda)
METRICS = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ("QueueName", "AWS::SQS::Queue"),
    ("AWS/ApiGateway", "5xx"): ("ApiId", "AWS::Serverless::HttpApi"),
    ("AWS/States", "ExecutionsTimedOut"): ("StateMachineArn", "AWS::Serverless::StateMachine"),
    ("AWS/States", "ExecutionThrottled"): ("StateMachineArn", "AWS::Serverless::StateMachine"),
    ("AWS/States", "ThrottledEvents"): ("APIName", "StartExecution"),
    ("AWS/States", "OpenExecutionCount"): None,
    ("AWS/Lambda", "Errors"): ("FunctionName", "AWS::Serverless::Function"),
    ("Batchyard", "GivenUp"): ("service", OUR_OWN),
    ("Batchyard", "SetApart"): ("service", OUR_OWN),
}
# by default, in an account and region; below some 10,000 the metric may show none (the same page of Step Functions)
MOST_OPEN_EXECUTIONS = 1_000_000
OUTPUTS = {
    "ApiUrl", "ConsoleUrl", "BucketName", "TableName", "StateMachineArn", "InboxUri", "ProviderSecretArn", "WebhookSecretArn",
    "EventBusName", "ChatSecretArn", "NotificationTopicArn",
}  # fmt: skip
each_alarm = pytest.mark.parametrize("name", resources("AWS::CloudWatch::Alarm"))
each_parameter = pytest.mark.parametrize("name", template()["Parameters"])


def test_no_resource_waits_for_itself() -> None:
    document = expanded()["Resources"]
    needs = {
        name: (references(body) | set(body.get("DependsOn", ()))) & set(document) for name, body in document.items()
    }
    assert len(list(TopologicalSorter(needs).static_order())) == len(document)


def test_every_reference_has_a_target() -> None:
    known = set(expanded()["Resources"]) | set(template()["Parameters"])
    for name in references(expanded()["Resources"]) | references(template()["Outputs"]):
        assert name in known or name.startswith(("AWS::", "__")), name


def test_the_file_follows_the_flow_from_what_is_kept_to_the_alarms_and_a_machine_comes_before_its_steps() -> None:
    order = list(template()["Resources"])
    doors, steps = order.index("IntakeFunction"), order.index("PlanFunction")
    assert all(order.index(name) < doors for name in ("DataBucket", "Table", "ProviderSecret", "EventBus"))
    assert doors < order.index("BatchStateMachine") < steps < order.index("NotifyFunction")
    machines = resources("AWS::Serverless::StateMachine").items()
    assert all(
        order.index(name) < order.index(step)
        for name, body in machines
        for step in set(body["DefinitionSubstitutions"]) - INTEGRATIONS.keys()
    )
    alarms = [name for name in order if name.startswith("Alarm") or name.endswith("Alarm")]
    assert order[-len(alarms) :] == alarms


def test_two_stacks_fit_one_account() -> None:
    names = {f"{kind}Name" for kind in ("Alarm", "Bucket", "Function", "Queue", "StateMachine", "Table", "Topic", "")}
    for name, resource in expanded()["Resources"].items():
        for key in names & set(resource.get("Properties", ())):
            assert references(resource["Properties"][key]), (name, key)
    for properties in resources("AWS::Logs::LogGroup").values():
        assert references(properties["LogGroupName"]) == {"AWS::StackName"}


@each_parameter
def test_a_parameter_is_described_bounded_and_used(name: str) -> None:
    parameter = template()["Parameters"][name]
    assert re.fullmatch(r"[A-Z0-9].+\.", parameter["Description"])
    assert {"MinValue", "MaxValue"} <= set(parameter) or {"AllowedPattern", "AllowedValues", "MinLength"} & set(
        parameter
    )
    assert ("AllowedPattern" in parameter) is ("ConstraintDescription" in parameter)
    used = references([template()["Resources"], template()["Globals"], template()["Conditions"]])
    assert name in used


@each_parameter
def test_a_parameter_has_a_default_that_sam_offers_and_is_no_secret_for_sam_asks_for_those_without_end(
    name: str,
) -> None:
    parameter = template()["Parameters"][name]
    assert "Default" in parameter
    assert "NoEcho" not in parameter


@each_parameter
def test_a_default_keeps_its_own_rules(name: str) -> None:
    parameter = template()["Parameters"][name]
    default = parameter.get("Default")
    if "MinValue" in parameter:
        assert parameter["MinValue"] <= default <= parameter["MaxValue"]
    if "AllowedValues" in parameter:
        assert default in parameter["AllowedValues"]
    if "AllowedPattern" in parameter:
        assert re.fullmatch(parameter["AllowedPattern"], default)


def test_the_profiles_to_choose_from_are_those_the_client_knows() -> None:
    assert set(template()["Parameters"]["ProviderProfile"]["AllowedValues"]) == {"", *PROFILES}


def test_every_parameter_is_shown_in_one_group() -> None:
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(template()["Parameters"])


def test_the_outputs_are_those_the_readme_names() -> None:
    assert set(template()["Outputs"]) == OUTPUTS
    assert all(output["Description"] for output in template()["Outputs"].values())


def watched(alarm: Json) -> list[Json]:
    """Return the metrics that an alarm is on: its own one, or those of its expression."""
    return [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", ()) if "MetricStat" in query] or [alarm]


@each_alarm
def test_an_alarm_watches_metrics_that_exist(name: str) -> None:
    for metric in watched(resources("AWS::CloudWatch::Alarm")[name]):
        named = METRICS[metric["Namespace"], metric["MetricName"]]
        kinds = {each["Name"]: kind(each["Value"]) for each in metric.get("Dimensions", ())}
        assert kinds == (dict([named]) if named else {})


def kind(value: Json) -> str:
    """Return the type of the resource that is named, or what is named itself."""
    if value == template()["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]:
        return OUR_OWN
    return str(value if isinstance(value, str) else template()["Resources"][references(value).pop()]["Type"])


@each_alarm
def test_an_alarm_says_what_is_wrong_and_tells_somebody(name: str) -> None:
    alarm = resources("AWS::CloudWatch::Alarm")[name]
    assert alarm["AlarmDescription"].endswith(".")
    assert references(alarm["AlarmActions"]) == references(alarm["OKActions"]) == {"AlarmTopic"}
    assert alarm["TreatMissingData"] == "notBreaching"


def targets() -> set[str]:
    """Return every resource that an alarm watches."""
    metrics = [metric for alarm in resources("AWS::CloudWatch::Alarm").values() for metric in watched(alarm)]
    return references([metric.get("Dimensions", []) for metric in metrics])


def test_the_page_of_costs_counts_the_secrets_and_the_metrics_that_alarms_are_on() -> None:
    page = (ROOT / "docs/cost.md").read_text(encoding="utf-8")
    alarms = resources("AWS::CloudWatch::Alarm")
    secrets = [
        name for name in resources("AWS::SecretsManager::Secret") if "Condition" not in template()["Resources"][name]
    ]
    metrics = sum(len(watched(alarm)) for alarm in alarms.values())
    assert f"| {len(alarms)} alarms on {metrics} metrics at $0.10 | {metrics * 0.1:.2f} |" in page
    assert f"| {len(secrets)} secrets at $0.40 | {len(secrets) * 0.4:.2f} |" in page


def test_every_queue_has_an_alarm() -> None:
    assert set(resources("AWS::SQS::Queue")) <= targets()


def test_every_function_that_the_state_machines_of_batches_and_shards_run_is_watched_by_an_alarm() -> None:
    machines = resources("AWS::Serverless::StateMachine")
    named = {*machines["BatchStateMachine"]["DefinitionSubstitutions"]}
    named |= {*machines["ShardStateMachine"]["DefinitionSubstitutions"]}
    steps = (
        named - {"FailFunction", "ShardStateMachine"} - INTEGRATIONS.keys()
    )  # what cannot be recorded the sweep sees to
    assert targets() & set(functions()) == steps


def test_an_alarm_comes_long_before_aws_takes_no_more_executions() -> None:
    alarm = resources("AWS::CloudWatch::Alarm")["OpenExecutionsAlarm"]
    assert alarm["Statistic"] == "Maximum"
    assert 10_000 < alarm["Threshold"] <= MOST_OPEN_EXECUTIONS / 2


def test_an_alarm_tells_what_aws_holds_back_of_every_state_machine_and_of_all_starts() -> None:
    total, *held_back = resources("AWS::CloudWatch::Alarm")["ThrottledAlarm"]["Metrics"]
    assert (total["Expression"], total["ReturnData"]) == ("SUM(FILL(METRICS(), 0))", True)
    assert references(held_back) == set(resources("AWS::Serverless::StateMachine"))
    assert [each["Label"] for each in held_back] == ["Batch", "Shard", "Webhook", "Starts"]
    for each in held_back:
        assert each["ReturnData"] is False
        assert each["MetricStat"]["Stat"] == "Sum"


def test_one_alarm_tells_of_steps_that_have_been_failing_for_a_quarter_of_an_hour_and_its_graph_of_which() -> None:
    alarm = resources("AWS::CloudWatch::Alarm")["StepErrorsAlarm"]
    total, *steps = alarm["Metrics"]
    assert (total["Expression"], total["ReturnData"]) == ("SUM(FILL(METRICS(), 0))", True)
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"], alarm["Threshold"]) == (3, 6, 0)
    for step in steps:
        assert step["ReturnData"] is False  # shown, and not compared by itself
        assert (step["MetricStat"]["Stat"], step["MetricStat"]["Period"]) == ("Sum", 300)
        assert references(step["MetricStat"]) == {f"{step['Label']}Function"}


def test_the_api_sends_no_metrics_by_route_which_would_cost_more_than_all_the_rest() -> None:
    (api,) = resources("AWS::Serverless::HttpApi").values()
    assert "DetailedMetricsEnabled" not in api["DefaultRouteSettings"]  # the access log names method and path


def test_the_bucket_is_closed_encrypted_versioned_and_heard() -> None:
    (bucket,) = resources("AWS::S3::Bucket").values()
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]


def test_the_bucket_speaks_tls_only() -> None:
    (policy,) = resources("AWS::S3::BucketPolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Principal"]) == ("Deny", "s3:*", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2


def test_the_work_files_and_the_record_of_a_batch_outlive_its_execution() -> None:
    for name in ("batch", "shard"):
        days = state_machine(name)["TimeoutSeconds"] / 86_400
        assert template()["Parameters"]["WorkDays"]["MinValue"] > days
        assert template()["Parameters"]["RecordDays"]["MinValue"] > days


def test_the_table_is_on_demand_recoverable_encrypted_and_listed_by_tenant_and_by_need() -> None:
    (table,) = resources("AWS::DynamoDB::Table").values()
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    # DynamoDB always encrypts; without a word on it by a key of its own, which is the one that costs nothing:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
    assert "SSESpecification" not in table
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at_ttl", "Enabled": True}
    indexes = table["GlobalSecondaryIndexes"]
    assert {index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]] for index in indexes} == {
        "by_tenant": ["gsi1pk", "gsi1sk"],
        "unsettled": ["unsettled", "pk"],
        "open_for": ["open_for", "pk"],
    }


@pytest.mark.parametrize("name", ["DataBucket", "Table"])
def test_what_users_gave_us_outlives_the_stack(name: str) -> None:
    resource = template()["Resources"][name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_the_template_knows_no_secret_and_a_deploy_leaves_what_was_stored() -> None:
    secrets = resources("AWS::SecretsManager::Secret")
    assert {name: set(body) for name, body in secrets.items()} == {
        "ProviderSecret": {"Description"},  # without any value: the functions tell a missing key from a wrong one
        "WebhookSecret": {"Description", "GenerateSecretString"},
        "SigningSecret": {"Description", "GenerateSecretString"},
        "ChatSecret": {"Description"},
    }
    for body in secrets.values():  # another generator would make another secret, over the one that was stored
        generator = body.get("GenerateSecretString", {"PasswordLength": 32, "ExcludePunctuation": True})
        assert generator in ({"PasswordLength": length, "ExcludePunctuation": True} for length in (32, 64))
        assert not references(body)


def test_each_secret_that_a_person_stores_is_an_output() -> None:
    named = {output: references(template()["Outputs"][output]["Value"]) for output in SECRETS.values()}
    assert named == {
        "ProviderSecretArn": {"ProviderSecret"},
        "WebhookSecretArn": {"WebhookSecret"},
        "ChatSecretArn": {"ChatSecret"},
    }


@pytest.mark.parametrize("name", resources("AWS::Serverless::StateMachine"))
def test_users_text_stays_out_of_the_state_machines_logs(name: str) -> None:
    machine = resources("AWS::Serverless::StateMachine")[name]
    assert machine["Logging"]["IncludeExecutionData"] is False
    assert machine["Logging"]["Level"] == "ERROR"
    assert machine["Tracing"] == {"Enabled": True}


def test_the_same_python_is_named_everywhere() -> None:
    named = {item["Runtime"] for item in walk(template()) if "Runtime" in item}
    compatible = {
        runtime
        for layer in resources("AWS::Serverless::LayerVersion").values()
        for runtime in layer["CompatibleRuntimes"]
    }
    assert named == compatible == {"python3.14"}


def test_functions_and_layers_are_made_for_the_one_kind_of_processor() -> None:
    (processor,) = template()["Globals"]["Function"]["Architectures"]
    assert {each.get("Architectures", processor) for each in functions().values()} == {processor}
    for name, layer in resources("AWS::Serverless::LayerVersion").items():
        assert layer["CompatibleArchitectures"] == [processor]
        assert template()["Resources"][name]["Metadata"]["BuildArchitecture"] == processor
        built_for = re.findall(
            r"^LAYER_PLATFORM .= manylinux2014_(\w+)$", (ROOT / layer["ContentUri"] / "Makefile").read_text(), re.M
        )
        assert built_for == [{"arm64": "aarch64", "x86_64": "x86_64"}[processor]]


def test_no_arn_names_the_partition_itself() -> None:
    assert "arn:aws" not in (ROOT / "template.yaml").read_text(encoding="utf-8")


def test_sam_asks_nothing_about_an_api_that_says_itself_how_it_is_opened() -> None:
    (api,) = resources("AWS::Serverless::HttpApi").values()
    assert api["Auth"] == {"EnableIamAuthorizer": False}  # nothing said is what SAM asks about
    assert "FailOnWarnings" not in api  # a warning of the import would roll the stack back


def test_sam_needs_no_further_option_to_build_and_deploy_and_has_nothing_to_ask() -> None:
    options = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))["default"]
    assert options["global"]["parameters"] == {"stack_name": "batchyard"}
    assert options["deploy"]["parameters"]["capabilities"] == "CAPABILITY_IAM"
    assert options["deploy"]["parameters"]["resolve_s3"] is True
    assert options["deploy"]["parameters"]["confirm_changeset"] is False
    assert "parameter_overrides" not in options["deploy"]["parameters"]
