"""The policies on the page for operators: they are sound, suffice for what they are for, and give no more."""

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.unit.docs.pages import ROOT
from tests.unit.template.documents import expanded, listed

PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
UPLOADER, DEPLOYER = (json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
WHERE = "eu-central-1:ACCOUNT"
BUCKET = "arn:aws:s3:::batchyard-databucket-1x2y3z"

# What CloudFormation calls first to make a resource, and the name it gives the resource `{}` of a stack named batchyard.
MAKES = {
    "AWS::ApiGatewayV2::Api": ("apigateway:POST", "arn:aws:apigateway:eu-central-1::/apis"),
    "AWS::ApiGatewayV2::Stage": ("apigateway:POST", "arn:aws:apigateway:eu-central-1::/apis/a1b2/stages"),
    "AWS::CloudWatch::Alarm": ("cloudwatch:PutMetricAlarm", f"arn:aws:cloudwatch:{WHERE}:alarm:batchyard-{{}}-1x2y"),
    "AWS::CloudWatch::Dashboard": ("cloudwatch:PutDashboard", "arn:aws:cloudwatch::ACCOUNT:dashboard/batchyard-eu-central-1"),
    "AWS::DynamoDB::Table": ("dynamodb:CreateTable", f"arn:aws:dynamodb:{WHERE}:table/batchyard-{{}}-1x2y"),
    "AWS::Events::EventBus": ("events:CreateEventBus", f"arn:aws:events:{WHERE}:event-bus/batchyard"),
    "AWS::Events::Rule": ("events:PutRule", f"arn:aws:events:{WHERE}:rule/batchyard-{{}}-1x2y"),
    "AWS::IAM::ManagedPolicy": ("iam:CreatePolicy", "arn:aws:iam::ACCOUNT:policy/batchyard-{}-1x2y"),
    "AWS::IAM::Policy": ("iam:PutRolePolicy", "arn:aws:iam::ACCOUNT:role/batchyard-{}-1x2y"),
    "AWS::IAM::Role": ("iam:CreateRole", "arn:aws:iam::ACCOUNT:role/batchyard-{}-1x2y"),
    "AWS::Lambda::EventInvokeConfig": ("lambda:PutFunctionEventInvokeConfig", f"arn:aws:lambda:{WHERE}:function:batchyard-x"),
    "AWS::Lambda::Function": ("lambda:CreateFunction", f"arn:aws:lambda:{WHERE}:function:batchyard-{{}}-1x2y"),
    "AWS::Lambda::LayerVersion": ("lambda:PublishLayerVersion", f"arn:aws:lambda:{WHERE}:layer:{{}}"),
    "AWS::Lambda::Permission": ("lambda:AddPermission", f"arn:aws:lambda:{WHERE}:function:batchyard-{{}}"),
    "AWS::Logs::LogGroup": ("logs:CreateLogGroup", ""),  # their names are in the template
    "AWS::Logs::QueryDefinition": ("logs:PutQueryDefinition", f"arn:aws:logs:{WHERE}:query-definition:1-2"),
    "AWS::S3::Bucket": ("s3:CreateBucket", BUCKET),
    "AWS::S3::BucketPolicy": ("s3:PutBucketPolicy", BUCKET),
    "AWS::SNS::Subscription": ("sns:Subscribe", f"arn:aws:sns:{WHERE}:batchyard-AlarmTopic-1x2y"),
    "AWS::SNS::Topic": ("sns:CreateTopic", f"arn:aws:sns:{WHERE}:batchyard-{{}}-1x2y"),
    "AWS::SQS::Queue": ("sqs:CreateQueue", f"arn:aws:sqs:{WHERE}:batchyard-{{}}-1x2y"),
    "AWS::SQS::QueuePolicy": ("sqs:SetQueueAttributes", f"arn:aws:sqs:{WHERE}:batchyard-DeadLetters-1x2y"),
    "AWS::Scheduler::Schedule": ("scheduler:CreateSchedule", f"arn:aws:scheduler:{WHERE}:schedule/default/batchyard-{{}}-1x2y"),
    "AWS::Scheduler::ScheduleGroup": (
        "scheduler:CreateScheduleGroup", f"arn:aws:scheduler:{WHERE}:schedule-group/batchyard-{{}}-1x2y",
    ),
    "AWS::SecretsManager::Secret": ("secretsmanager:CreateSecret", f"arn:aws:secretsmanager:{WHERE}:secret:{{}}-1x2y"),
    "AWS::StepFunctions::StateMachine": ("states:CreateStateMachine", f"arn:aws:states:{WHERE}:stateMachine:{{}}-1x2y"),
}  # fmt: skip


def may(policy: Any, action: str, resource: str, **context: str) -> bool:
    """Tell what IAM would: some statement allows it, and none denies it."""
    fitting = [each["Effect"] for each in policy["Statement"] if _fits(each, action, resource, context)]
    return "Allow" in fitting and "Deny" not in fitting


def _fits(statement: Any, action: str, resource: str, context: dict[str, str]) -> bool:
    wanted = statement.get("Condition", {"StringLike": {}})["StringLike"].items()
    return (
        any(fnmatchcase(action, each) for each in listed(statement["Action"]))
        and any(fnmatchcase(resource, each) for each in listed(statement["Resource"]))
        and all(fnmatchcase(context.get(key.partition(":")[2], ""), value) for key, value in wanted)
    )


@pytest.mark.parametrize("policy", [UPLOADER, DEPLOYER], ids=["uploader", "deployer"])
def test_a_policy_has_the_form_that_iam_takes(policy: Any) -> None:
    assert policy["Version"] == "2012-10-17"
    names = [statement["Sid"] for statement in policy["Statement"]]
    assert len(names) == len(set(names))
    assert len(json.dumps(policy, separators=(",", ":"))) < 6_144  # characters of a managed policy
    for statement in policy["Statement"]:
        assert {"Sid", "Effect", "Action", "Resource"} <= statement.keys()


def test_whoever_uploads_may_do_so_for_one_tenant_and_fetch_that_tenants_results() -> None:
    assert may(UPLOADER, "s3:PutObject", "arn:aws:s3:::BUCKET/inbox/team-a/mine.jsonl")
    assert may(UPLOADER, "s3:GetObject", "arn:aws:s3:::BUCKET/results/team-a/batch_1/output.jsonl")
    assert may(UPLOADER, "s3:ListBucket", "arn:aws:s3:::BUCKET", prefix="results/team-a/")


@pytest.mark.parametrize(
    ("action", "key", "prefix"),
    [
        ("s3:PutObject", "/inbox/team-b/x", ""), ("s3:GetObject", "/inbox/team-a/x", ""),
        ("s3:PutObject", "/results/team-a/x", ""), ("s3:GetObject", "/results/team-ab/x", ""),
        ("s3:GetObject", "/work/batch_1/plan", ""), ("s3:DeleteObject", "/inbox/team-a/x", ""),
        ("s3:ListBucket", "", ""), ("s3:ListBucket", "", "results/"), ("s3:ListBucket", "", "results/team-ab/"),
    ],
)  # fmt: skip
def test_whoever_uploads_may_do_nothing_else(action: str, key: str, prefix: str) -> None:
    assert not may(UPLOADER, action, f"arn:aws:s3:::BUCKET{key}", prefix=prefix)


@pytest.mark.parametrize("name", expanded()["Resources"])
def test_whoever_deploys_may_make_each_resource_of_the_template(name: str) -> None:
    resource = expanded()["Resources"][name]
    action, arn = MAKES[resource["Type"]]
    if resource["Type"] == "AWS::Logs::LogGroup":
        group = resource["Properties"]["LogGroupName"]["Fn::Sub"].replace("${AWS::StackName}", "batchyard")
        arn = f"arn:aws:logs:{WHERE}:log-group:{group}"
    assert may(DEPLOYER, action, arn.format(name))


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("cloudformation:CreateChangeSet", f"arn:aws:cloudformation:{WHERE}:stack/batchyard/1-2"),
        ("cloudformation:CreateChangeSet", "arn:aws:cloudformation:eu-central-1:aws:transform/Serverless-2016-10-31"),
        ("cloudformation:ExecuteChangeSet", f"arn:aws:cloudformation:{WHERE}:stack/batchyard/1-2"),
        ("cloudformation:DescribeStackEvents", f"arn:aws:cloudformation:{WHERE}:stack/aws-sam-cli-managed-default/1-2"),
        ("s3:PutObject", "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-1x2y/batchyard/1"),
        ("iam:PassRole", "arn:aws:iam::ACCOUNT:role/batchyard-PlanFunctionRole-1x2y"),
        ("secretsmanager:PutSecretValue", f"arn:aws:secretsmanager:{WHERE}:secret:ProviderSecret-1x2y-AbCdEf"),
    ],
)
def test_whoever_deploys_may_do_what_sam_and_make_provider_key_do(action: str, arn: str) -> None:
    assert may(DEPLOYER, action, arn)


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("s3:GetObject", f"{BUCKET}/inbox/team-a/x"), ("s3:PutObject", f"{BUCKET}/inbox/team-a/x"),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:{WHERE}:table/batchyard-Table-1x2y"),
        ("dynamodb:Query", f"arn:aws:dynamodb:{WHERE}:table/batchyard-Table-1x2y"),
        ("dynamodb:ExportTableToPointInTime", f"arn:aws:dynamodb:{WHERE}:table/batchyard-Table-1x2y"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{WHERE}:secret:ProviderSecret-1x2y-AbCdEf"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{WHERE}:function:batchyard-IntakeFunction-1x2y"),
        ("iam:CreateRole", "arn:aws:iam::ACCOUNT:role/another"), ("iam:CreateUser", "arn:aws:iam::ACCOUNT:user/batchyard-x"),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{WHERE}:function:another"),
        ("cloudformation:DeleteStack", f"arn:aws:cloudformation:{WHERE}:stack/another/1-2"),
        ("sqs:ReceiveMessage", f"arn:aws:sqs:{WHERE}:batchyard-DeadLetters-1x2y"),
    ],
)  # fmt: skip
def test_whoever_deploys_reads_no_data_and_touches_no_other_stack(action: str, arn: str) -> None:
    assert not may(DEPLOYER, action, arn)
