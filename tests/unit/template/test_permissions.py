"""Least privilege: one statement, the actions used, one resource."""

import re
from typing import NamedTuple

import pytest

from tests.unit.template.documents import ROOT, Json, expanded, functions, listed, references, resources, template

UNNAMEABLE = {"Log", "Trace"}  # log deliveries and traces have no resource that a policy could name
SERVICE_OF = {
    "AWS::S3::Bucket": "s3",
    "AWS::DynamoDB::Table": "dynamodb",
    "AWS::SecretsManager::Secret": "secretsmanager",
    "AWS::Events::EventBus": "events",
    "AWS::SQS::Queue": "sqs",
    "AWS::Serverless::Function": "lambda",
    "AWS::Serverless::StateMachine": "states",
}
CORE = ROOT / "layers/core/batchyard"
# what a call needs, by the Service Authorization Reference; parts of an upload come under PutObject,
# the members of a transaction under the action of each
ACTIONS_OF = {
    "s3.head_object": {"s3:GetObject", "s3:GetObjectVersion"},
    "s3.get_object": {"s3:GetObject", "s3:GetObjectVersion"},
    "s3.put_object": {"s3:PutObject"},
    "s3.create_multipart_upload": {"s3:PutObject"},
    "s3.upload_part": {"s3:PutObject"},
    "s3.upload_part_copy": {"s3:PutObject", "s3:GetObject", "s3:GetObjectVersion"},
    "s3.complete_multipart_upload": {"s3:PutObject"},
    "s3.put_object_tagging": {"s3:PutObjectTagging"},
    "s3.delete_object": {"s3:DeleteObject"},
    # presigned: the one who signs must be allowed what the holder of the URL does
    "s3.generate_presigned_url": {"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectTagging"},
    "s3.list_parts": {"s3:ListMultipartUploadParts"},
    "s3.abort_multipart_upload": {"s3:AbortMultipartUpload"},
    "s3.list_objects_v2": {"s3:ListBucket"},
    "s3.list_object_versions": {"s3:ListBucketVersions"},
    "dynamodb.get_item": {"dynamodb:GetItem"},
    "dynamodb.put_item": {"dynamodb:PutItem"},
    "dynamodb.update_item": {"dynamodb:UpdateItem"},
    "dynamodb.query": {"dynamodb:Query"},
    "dynamodb.transact_write_items": {"dynamodb:PutItem", "dynamodb:UpdateItem"},
    "eventbridge.put_events": {"events:PutEvents"},
    "lambda.invoke": {"lambda:InvokeFunction"},
    "secretsmanager.get_secret_value": {"secretsmanager:GetSecretValue"},
    "stepfunctions.start_execution": {"states:StartExecution"},
    "stepfunctions.describe_execution": {"states:DescribeExecution"},
}
CALL = re.compile(
    r'self\._(?P<client>s3|dynamodb|eventbridge|lambda|secretsmanager|stepfunctions)\.(?:get_paginator\(")?(?P<call>\w+)["(]'
)
OBJECT_ACTIONS = {
    "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:DeleteObject",
    "s3:ListMultipartUploadParts",
}  # fmt: skip


class Grant(NamedTuple):
    """A statement of a policy that is written in the template, and whose it is."""

    owner: str
    statement: Json


def grants() -> list[Grant]:
    found = [
        Grant(name, statement)
        for name, properties in functions().items()
        for policy in properties["Policies"]
        for statement in policy["Statement"]
    ]
    for name, properties in resources("AWS::IAM::Role").items():
        for policy in properties["Policies"]:
            found += [Grant(name, statement) for statement in policy["PolicyDocument"]["Statement"]]
    for name, properties in resources("AWS::IAM::Policy").items():
        found += [Grant(name, statement) for statement in properties["PolicyDocument"]["Statement"]]
    return found


each_grant = pytest.mark.parametrize("grant", grants(), ids=lambda grant: f"{grant.owner}-{grant.statement['Sid']}")


@each_grant
def test_a_statement_allows_named_actions_on_one_resource(grant: Grant) -> None:
    assert grant.statement["Effect"] == "Allow"
    assert not isinstance(grant.statement["Resource"], list)
    assert all(re.fullmatch(r"[a-z0-9]+:[A-Z][A-Za-z]+", action) for action in listed(grant.statement["Action"]))
    assert (grant.statement["Resource"] == "*") is (grant.statement["Sid"] in UNNAMEABLE)


@each_grant
def test_the_actions_belong_to_the_resource(grant: Grant) -> None:
    if grant.statement["Sid"] not in UNNAMEABLE:
        (target,) = {name for name in references(grant.statement["Resource"]) if not name.startswith("AWS::")}
        service = SERVICE_OF[template()["Resources"][target]["Type"]]
        assert {action.split(":")[0] for action in listed(grant.statement["Action"])} == {service}


@each_grant
def test_objects_are_reached_by_the_folder_they_are_in(grant: Grant) -> None:
    if OBJECT_ACTIONS & set(listed(grant.statement["Action"])):
        assert set(listed(grant.statement["Action"])) <= OBJECT_ACTIONS
        assert re.fullmatch(
            r"\$\{DataBucket\.Arn\}/(inbox|files|work|work/uploads|results)/\*", grant.statement["Resource"]["Fn::Sub"]
        )


def test_a_role_says_each_thing_once() -> None:
    said = [(grant.owner, grant.statement["Sid"]) for grant in grants()]
    assert len(said) == len(set(said))
    places = [
        (grant.owner, str(grant.statement["Resource"])) for grant in grants() if grant.statement["Resource"] != "*"
    ]
    assert len(places) == len(set(places))


def test_whoever_may_list_the_bucket_may_list_only_the_inbox() -> None:
    listing = [grant for grant in grants() if "s3:ListBucketVersions" in listed(grant.statement["Action"])]
    assert [grant.owner for grant in listing] == ["SweepFunction"]
    assert listing[0].statement["Condition"] == {"StringLike": {"s3:prefix": "inbox/*"}}


def test_what_the_adapters_call_somebody_may_do_and_nothing_else_is_granted() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (CORE / "adapters").glob("*.py"))
    called = {action for call in CALL.finditer(sources) for action in ACTIONS_OF[".".join(call.groups())]}
    granted = {
        action for grant in grants() if grant.owner in functions() for action in listed(grant.statement["Action"])
    }
    assert granted == called


def test_nobody_may_write_what_was_uploaded_to_the_inbox() -> None:
    for grant in grants():
        if "s3:PutObject" in listed(grant.statement["Action"]):
            assert re.search(r"/(files|work|results)/", grant.statement["Resource"]["Fn::Sub"])


def test_only_a_caller_of_the_front_door_may_have_a_file_written_or_removed_and_never_for_good() -> None:
    for grant in grants():
        actions, sid = set(listed(grant.statement["Action"])), grant.statement["Sid"]
        removing = {action for action in actions if action.split(":")[1].startswith(("Delete", "Scan"))}
        assert not removing or sid == "Log" or (grant.owner, removing) == ("ApiFunction", {"s3:DeleteObject"})
        if "s3:PutObject" in actions and "/files/" in grant.statement["Resource"]["Fn::Sub"]:
            assert grant.owner == "ApiFunction"


def test_only_those_who_talk_to_the_provider_may_read_its_key() -> None:
    readers = {grant.owner for grant in grants() if "ProviderSecret" in references(grant.statement["Resource"])}
    assert readers == {
        "SubmitFunction", "PollFunction", "CollectFunction", "CancelFunction", "SweepFunction", "AdvanceFunction",
    }  # fmt: skip


def test_who_does_what_is_due_may_do_what_the_steps_may() -> None:
    may = {
        owner: {(action, str(grant.statement["Resource"])) for grant in grants() if grant.owner == owner
                for action in listed(grant.statement["Action"])}
        for owner in ("AdvanceFunction", "SubmitFunction", "PollFunction", "CollectFunction", "AssembleFunction")
    }  # fmt: skip
    advance = may.pop("AdvanceFunction")
    assert advance == set.union(*may.values())


@pytest.mark.parametrize(
    ("owner", "folder", "actions"),
    [
        # a provider that refuses to make a batch may be saying that a line never fits: Submit sets it aside
        ("SubmitFunction", "work", {"s3:PutObject", "s3:AbortMultipartUpload"}),
        # the address of a large report names the version it was found in
        ("ApiFunction", "results", {"s3:GetObject", "s3:GetObjectVersion"}),
    ],
)
def test_a_path_that_is_seldom_taken_is_allowed_too(owner: str, folder: str, actions: set[str]) -> None:
    place = f"${{DataBucket.Arn}}/{folder}/*"
    (grant,) = (each for each in grants() if each.owner == owner and each.statement["Resource"] == {"Fn::Sub": place})
    assert actions <= set(listed(grant.statement["Action"]))


def test_only_the_front_door_may_read_what_webhooks_are_signed_with() -> None:
    readers = {grant.owner for grant in grants() if "WebhookSecret" in references(grant.statement["Resource"])}
    assert readers == {"ApiFunction"}


def test_only_those_who_show_or_use_the_tenants_signing_secrets_may_read_what_they_follow_from() -> None:
    readers = {grant.owner for grant in grants() if "SigningSecret" in references(grant.statement["Resource"])}
    assert readers == {"ApiFunction", "DeliverFunction"}


def test_who_calls_addresses_of_tenants_may_do_nothing_but_read_and_change_records() -> None:
    may = {
        action for grant in grants() if grant.owner == "DeliverFunction" for action in listed(grant.statement["Action"])
    }
    assert may == {"dynamodb:GetItem", "dynamodb:UpdateItem", "secretsmanager:GetSecretValue"}


def test_sam_adds_nothing_but_logs_traces_and_dead_letters() -> None:
    for name, role in resources("AWS::IAM::Role", expanded()).items():
        managed = [str(arn).rsplit("/", 1)[-1] for arn in role.get("ManagedPolicyArns", ())]
        assert set(managed) <= {"AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"}, name
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                assert "*" not in str(statement["Action"]), name


def test_no_role_has_a_fixed_name_so_that_the_plain_capability_is_enough() -> None:
    for role in resources("AWS::IAM::Role", expanded()).values():
        assert "RoleName" not in role


@pytest.mark.parametrize("owner", ["SubmitFunction", "CollectFunction"])
def test_whoever_gets_answers_of_the_provider_may_store_them(owner: str) -> None:
    (work,) = [grant for grant in grants() if grant.owner == owner and "/work/" in str(grant.statement["Resource"])]
    assert {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"} <= set(listed(work.statement["Action"]))
