"""Least privilege: one statement, the actions used, one resource."""

import re
from typing import NamedTuple

import pytest

from tests.unit.template.documents import (
    ROOT,
    Json,
    expanded,
    functions,
    listed,
    references,
    resources,
    statements_of,
    template,
    unconditional,
    uses,
)

OF_STATE_MACHINES = {"Log", "Trace"}  # log deliveries and traces have no resource that a policy could name
UNNAMEABLE = OF_STATE_MACHINES | {"ListBedrockJobs"}  # and lists of jobs have none
OF_AWS = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"  # no resource of ours; named by the developer guide
OF_MODELS = {"Answer", "CallModels", "CreateJobs"}  # a model is a resource of several types
NAMED_ROLE = "BedrockRoleArn"  # a parameter
BEDROCK = "arn:${AWS::Partition}:bedrock:"
SERVICE_OF = {
    "AWS::S3::Bucket": "s3",
    "AWS::DynamoDB::Table": "dynamodb",
    "AWS::SecretsManager::Secret": "secretsmanager",
    "AWS::Events::EventBus": "events",
    "AWS::SQS::Queue": "sqs",
    "AWS::SNS::Topic": "sns",
    "AWS::IAM::Role": "iam",
    "AWS::Serverless::Function": "lambda",
    "AWS::Serverless::StateMachine": "states",
    "AWS::Scheduler::ScheduleGroup": "scheduler",
}
CODE_OF = {name: properties["CodeUri"].removeprefix("functions/") for name, properties in functions().items()}
OBJECT_ACTIONS = {
    "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:DeleteObject",
    "s3:DeleteObjectVersion", "s3:ListMultipartUploadParts",
}  # fmt: skip


class Grant(NamedTuple):
    """A statement of a policy that is written in the template, and whose it is."""

    owner: str
    statement: Json


def grants() -> list[Grant]:
    found = [
        Grant(name, statement) for name, properties in functions().items() for statement in statements_of(properties)
    ]
    for name, properties in resources("AWS::IAM::Role").items():
        for policy in properties["Policies"]:
            found += [Grant(name, statement) for statement in policy["PolicyDocument"]["Statement"]]
    for name, properties in (resources("AWS::IAM::Policy") | resources("AWS::IAM::ManagedPolicy")).items():
        found += [Grant(name, statement) for statement in properties["PolicyDocument"]["Statement"]]
    return found


each_grant = pytest.mark.parametrize("grant", grants(), ids=lambda grant: f"{grant.owner}-{grant.statement['Sid']}")


@each_grant
def test_a_statement_allows_named_actions_on_one_resource(grant: Grant) -> None:
    assert grant.statement["Effect"] == "Allow"
    assert isinstance(grant.statement["Resource"], list) is (grant.statement["Sid"] in OF_MODELS)
    assert all(re.fullmatch(r"[a-z0-9]+:[A-Z][A-Za-z]+", action) for action in listed(grant.statement["Action"]))
    assert (grant.statement["Resource"] == "*") is (grant.statement["Sid"] in UNNAMEABLE)


@each_grant
def test_the_actions_belong_to_the_resource(grant: Grant) -> None:
    if grant.statement["Sid"] not in UNNAMEABLE:
        targets = {name for name in references(grant.statement["Resource"]) if not name.startswith("AWS::")}
        service = {SERVICE_OF[template()["Resources"][name]["Type"]] for name in targets - {NAMED_ROLE}}
        service |= {"iam"} if NAMED_ROLE in targets else set()
        if not targets:
            arns = [each["Fn::Sub"] for each in listed(grant.statement["Resource"])]
            of_bedrock = all(arn.startswith(BEDROCK) for arn in arns)
            assert of_bedrock or all(arn.endswith(f":{OF_AWS}") for arn in arns)
            service = {"bedrock" if of_bedrock else "events"}
        assert service == {action.split(":")[0] for action in listed(grant.statement["Action"])}


@each_grant
def test_objects_are_reached_by_the_folder_they_are_in(grant: Grant) -> None:
    if OBJECT_ACTIONS & set(listed(grant.statement["Action"])):
        assert set(listed(grant.statement["Action"])) <= OBJECT_ACTIONS
        assert re.fullmatch(
            r"\$\{DataBucket\.Arn\}/(inbox|gather|files|providers|work|work/uploads|work/\*/(plan|shards)|results|results/\*/by-input)/\*(/RUN|/plan/(input|changed)\.jsonl|/plan/files-\*)?",
            grant.statement["Resource"]["Fn::Sub"],
        )


def test_a_role_says_each_thing_once() -> None:
    said = [(grant.owner, grant.statement["Sid"]) for grant in grants()]
    assert len(said) == len(set(said))
    places = [
        (grant.owner, str(grant.statement["Resource"]), str(grant.statement.get("Condition")))
        for grant in grants()
        if grant.statement["Resource"] != "*"
    ]
    assert len(places) == len(set(places))


def test_whoever_may_list_objects_may_list_only_what_bedrock_reads_and_writes_and_only_where_it_is_used() -> None:
    listing = [grant for grant in grants() if "s3:ListBucket" in listed(grant.statement["Action"])]
    steps = {f"{name}Function" for name in ("Submit", "Poll", "Collect", "Cancel", "Sweep", "Advance")}
    assert {grant.owner for grant in listing} == {"BedrockRole", *steps}
    assert all(each.statement["Condition"] == {"StringLike": {"s3:prefix": "providers/*"}} for each in listing)


def test_what_is_for_bedrock_is_only_in_a_stack_that_uses_it() -> None:
    for properties in functions().values():
        for statement in (each for policy in properties["Policies"] for each in policy["Statement"]):
            told = str(statement)
            of_schedules = references(statement) == {"ScheduleRole"}
            if "bedrock" in told.lower() or "providers/" in told or ("iam:" in told and not of_schedules):
                condition = "NameBedrockRole" if references(statement["Fn::If"][1]) == {NAMED_ROLE} else "UseBedrock"
                assert (statement["Fn::If"][0], statement["Fn::If"][2]) == (condition, {"Ref": "AWS::NoValue"})
    named = template()["Conditions"]["NameBedrockRole"]["Fn::And"]
    assert named == [{"Condition": "UseBedrock"}, {"Fn::Not": [{"Fn::Equals": [{"Ref": NAMED_ROLE}, ""]}]}]
    for name in ("BedrockRole", "BedrockJobEnded", "BedrockJobEndedPermission"):
        assert template()["Resources"][name]["Condition"] == "UseBedrock"


def test_bedrock_alone_takes_its_role_for_jobs_of_this_account_and_only_it_and_a_named_one_are_handed_over() -> None:
    (trusted,) = template()["Resources"]["BedrockRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert (trusted["Principal"], trusted["Action"]) == ({"Service": "bedrock.amazonaws.com"}, "sts:AssumeRole")
    assert trusted["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    of_jobs = "arn:${AWS::Partition}:bedrock:*:${AWS::AccountId}:model-invocation-job/*"
    assert trusted["Condition"]["ArnLike"] == {"aws:SourceArn": {"Fn::Sub": of_jobs}}
    passing = [grant for grant in grants() if "iam:PassRole" in listed(grant.statement["Action"])]
    of_bedrock = [grant for grant in passing if references(grant.statement["Resource"]) != {"ScheduleRole"}]
    assert {(grant.owner, *references(grant.statement["Resource"])) for grant in of_bedrock} == {
        (f"{name}Function", role) for name in ("Submit", "Advance") for role in ("BedrockRole", NAMED_ROLE)
    }
    for grant in of_bedrock:
        assert grant.statement["Condition"] == {"StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}}


def test_models_are_those_that_all_may_use_and_those_of_the_account() -> None:
    all_may_use, own = f"{BEDROCK}*::foundation-model/*", f"{BEDROCK}*:${{AWS::AccountId}}:"
    kinds = (
        "custom-model",
        "imported-model",
        "provisioned-model",
        "inference-profile",
        "application-inference-profile",
    )
    models = {all_may_use, *(f"{own}{kind}/*" for kind in kinds)}
    places = {
        (grant.owner, action): {each["Fn::Sub"] for each in listed(grant.statement["Resource"])}
        for grant in grants()
        for action in listed(grant.statement["Action"])
        if action in {"bedrock:CreateModelInvocationJob", "bedrock:InvokeModel"}
    }
    steps = ("SubmitFunction", "AdvanceFunction")
    assert places == {
        ("BedrockRole", "bedrock:InvokeModel"): models,
        **{(step, "bedrock:InvokeModel"): models for step in steps},
        **{(step, "bedrock:CreateModelInvocationJob"): {*models, f"{own}model-invocation-job/*"} for step in steps},
    }


def test_whoever_may_list_the_bucket_may_list_only_what_users_sent() -> None:
    listing = [grant for grant in grants() if "s3:ListBucketVersions" in listed(grant.statement["Action"])]
    assert {grant.owner: grant.statement["Condition"]["StringLike"]["s3:prefix"] for grant in listing} == {
        "GatherFunction": "gather/*",
        "TriggerFunction": "gather/*",
        "ApiFunction": "gather/*",
        "SweepFunction": ["inbox/*", "files/*", "gather/*"],
    }


def test_every_action_that_a_function_is_granted_is_one_that_a_test_needs() -> None:
    granted = {
        (CODE_OF[grant.owner], f"{grant.statement['Sid']} {action}")
        for grant in grants()
        if grant.owner in CODE_OF
        and grant.owner != "AdvanceFunction"  # it may do what the steps that it plays may, see below
        for action in listed(grant.statement["Action"])
    }
    assert granted == {(door, use) for door, tests in uses().items() for needed in tests.values() for use in needed}


@pytest.mark.parametrize("test", sorted({test for tests in uses().values() for test in tests}))
def test_the_tests_that_are_named_for_a_use_exist(test: str) -> None:
    file, _, name = test.partition("::")
    source = (ROOT / "tests/integration/batchyard" / file).read_text(encoding="utf-8")
    assert f"\ndef {name}(" in source


def test_nobody_may_write_what_was_uploaded_to_the_inbox() -> None:
    for grant in grants():
        if "s3:PutObject" in listed(grant.statement["Action"]):
            assert re.search(r"/(files|providers|work|results)/", grant.statement["Resource"]["Fn::Sub"])


SCHEDULES = "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule/${ScheduleGroup}/*"
# What goes for good are files that their owner deleted or that ended, parts of uploads, and copies of inputs. Results
# only seem to: a person gets them back for seven days. Nobody removes an upload to the inbox.
REMOVALS = {
    ("ApiFunction", "files/*", "s3:DeleteObject"), ("ApiFunction", "files/*", "s3:DeleteObjectVersion"),
    ("ApiFunction", "results/*", "s3:DeleteObject"), ("ApiFunction", "work/uploads/*", "s3:DeleteObject"),
    ("ApiFunction", "work/uploads/*", "s3:DeleteObjectVersion"),
    ("SweepFunction", "files/*", "s3:DeleteObject"), ("SweepFunction", "files/*", "s3:DeleteObjectVersion"),
    ("SweepFunction", "work/*/plan/input.jsonl", "s3:DeleteObject"),
    ("SweepFunction", "work/*/plan/input.jsonl", "s3:DeleteObjectVersion"),
    ("SweepFunction", "work/*/plan/changed.jsonl", "s3:DeleteObject"),
    ("SweepFunction", "work/*/plan/changed.jsonl", "s3:DeleteObjectVersion"),
    ("ApiFunction", SCHEDULES, "scheduler:DeleteSchedule"), ("SweepFunction", SCHEDULES, "scheduler:DeleteSchedule"),
    *((f"{name}Function", "providers/*", "s3:DeleteObject") for name in ("Submit", "Poll", "Collect", "Sweep", "Advance")),
}  # fmt: skip


def test_only_the_front_door_and_the_sweep_may_remove_and_only_some_of_it_for_good() -> None:
    found = {
        (grant.owner, grant.statement["Resource"]["Fn::Sub"].removeprefix("${DataBucket.Arn}/"), action)
        for grant in grants()
        if grant.statement["Sid"] != "Log"
        for action in listed(grant.statement["Action"])
        if action.split(":")[1].startswith(("Delete", "Scan"))
    }
    assert found == REMOVALS


def test_the_front_door_reads_of_the_work_what_rows_are_made_of_and_parts_alone() -> None:
    places = {grant.statement["Resource"].get("Fn::Sub", "") for grant in grants() if grant.owner == "ApiFunction"}
    within = {place.partition("/work/")[2] for place in places if "/work/" in place}
    assert within == {
        "*/plan/*",
        "*/plan/files-*",
        "*/shards/*",
        "uploads/*",
    }  # of files-* it makes those of its firings


def test_only_a_caller_of_the_front_door_may_have_a_file_written() -> None:
    for grant in grants():
        actions = set(listed(grant.statement["Action"]))
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
    assert reach("AdvanceFunction") == set.union(*map(reach, may))


def reach(owner: str, *actions: str) -> set[str]:
    """List the kinds of records that a function may touch, or do one of these actions to: how their keys begin."""
    kinds = set[str]()
    for grant in grants():
        if grant.owner == owner and grant.statement["Resource"] == {"Fn::GetAtt": ["Table", "Arn"]}:
            assert grant.statement["Condition"].keys() == {"ForAllValues:StringLike"}
            if not actions or set(actions) & set(listed(grant.statement["Action"])):
                kinds |= set(grant.statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"])
    return kinds


@pytest.mark.parametrize("owner", functions())
def test_a_function_touches_named_kinds_of_records_alone(owner: str) -> None:
    assert reach(owner)
    assert all(re.fullmatch(r"[A-Z]+#(\*|chat)|KEYS", kind) for kind in reach(owner))


def test_only_the_front_door_touches_api_keys_and_nobody_reads_the_list_of_all() -> None:
    for kind in ("KEY#*", "KEYSOF#*", "KEYS"):
        assert [owner for owner in functions() if kind in reach(owner)] == ["ApiFunction"]
    assert "KEYS" not in reach("ApiFunction", "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
    assert not {"KEY#*", "KEYSOF#*", "KEYS"} & reach("ApiFunction", "dynamodb:DeleteItem")


def test_who_calls_or_tells_the_addresses_of_tenants_touches_webhooks_alone() -> None:
    assert reach("DeliverFunction") == reach("NotifyFunction") == {"DELIVERIES#*", "WEBHOOKS#*"}


def test_who_notifies_people_begins_deliveries_to_their_chat_alone_and_changes_no_batch() -> None:
    assert reach("InformFunction") == {"NOTICE#*", "DELIVERIES#chat", "BATCH#*"}
    assert "BATCH#*" not in reach("InformFunction", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query")


def test_only_who_calls_the_chat_may_read_its_address_and_only_where_there_is_one() -> None:
    readers = {grant.owner for grant in grants() if "ChatSecret" in references(grant.statement["Resource"])}
    assert readers == {"DeliverFunction"}
    (policy,) = functions()["DeliverFunction"]["Policies"]
    (conditional,) = (each["Fn::If"] for each in policy["Statement"] if "Fn::If" in each)
    assert (conditional[0], conditional[2]) == ("NotifyInChat", {"Ref": "AWS::NoValue"})
    assert references(conditional[1]) == {"ChatSecret"}


def test_who_takes_uploads_in_touches_batches_and_reads_what_their_tenants_may_spend() -> None:
    assert reach("IntakeFunction") == {"BATCH#*", "BUDGET#*", "USAGE#*", "WARNED#*"}
    assert reach("IntakeFunction", "dynamodb:PutItem") == {"BATCH#*", "WARNED#*"}


@pytest.mark.parametrize("owner", ["IntakeFunction", "SubmitFunction"])
def test_who_warns_reads_and_puts_warnings_and_no_more(owner: str) -> None:
    assert "WARNED#*" in reach(owner, "dynamodb:GetItem")
    assert "WARNED#*" not in reach(owner, "dynamodb:BatchGetItem", "dynamodb:UpdateItem")


@pytest.mark.parametrize("owner", functions())
def test_nobody_may_change_a_budget(owner: str) -> None:
    assert "BUDGET#*" not in reach(owner, "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem")


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


@pytest.mark.parametrize("name", resources("AWS::Serverless::StateMachine"))
def test_a_state_machine_may_log_and_trace_by_the_policy_that_all_share(name: str) -> None:
    (role,) = references(resources("AWS::Serverless::StateMachine")[name]["Role"])
    (shared,) = resources("AWS::IAM::ManagedPolicy")
    assert template()["Resources"][role]["Properties"]["ManagedPolicyArns"] == [{"Ref": shared}]
    assert {grant.statement["Sid"] for grant in grants() if grant.owner == shared} == OF_STATE_MACHINES
    assert not [grant for grant in grants() if grant.owner == role and grant.statement["Sid"] in UNNAMEABLE]


def test_sam_adds_nothing_but_logs_traces_and_dead_letters() -> None:
    for name, role in resources("AWS::IAM::Role", expanded()).items():
        foreign = [
            arn for arn in role.get("ManagedPolicyArns", ()) if not references(arn) & set(template()["Resources"])
        ]
        managed = {str(arn).rsplit("/", 1)[-1] for arn in foreign}
        assert managed <= {"AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"}, name
        for policy in role["Policies"]:
            for statement in map(unconditional, policy["PolicyDocument"]["Statement"]):
                assert "*" not in str(statement["Action"]), name


def test_no_role_and_no_policy_of_its_own_has_a_fixed_name_so_that_the_plain_capability_is_enough() -> None:
    for kind, name in (("Role", "RoleName"), ("ManagedPolicy", "ManagedPolicyName")):
        for properties in resources(f"AWS::IAM::{kind}", expanded()).values():
            assert name not in properties


def test_the_clock_may_invoke_the_function_that_makes_the_batches_of_schedules_and_nothing_else() -> None:
    may = {
        (grant.statement["Sid"], *listed(grant.statement["Action"]))
        for grant in grants()
        if grant.owner == "ScheduleRole"
    }
    assert may == {("Fire", "lambda:InvokeFunction"), ("LeaveDeadLetters", "sqs:SendMessage")}
    (assumed,) = resources("AWS::IAM::Role")["ScheduleRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert assumed["Principal"] == {"Service": "scheduler.amazonaws.com"}
    group = {"Fn::GetAtt": ["ScheduleGroup", "Arn"]}
    assert assumed["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}, "aws:SourceArn": group}
    }


def test_only_the_front_door_and_the_sweep_put_schedules_on_the_clock_and_lend_its_role_to_it_alone() -> None:
    lent = [grant for grant in grants() if "ScheduleRole" in references(grant.statement["Resource"])]
    made = [grant for grant in grants() if "scheduler:CreateSchedule" in listed(grant.statement["Action"])]
    assert [grant.owner for grant in lent] == [grant.owner for grant in made] == ["ApiFunction", "SweepFunction"]
    for grant in lent:
        assert listed(grant.statement["Action"]) == ["iam:PassRole"]
        assert grant.statement["Condition"] == {"StringLike": {"iam:PassedToService": "scheduler.amazonaws.com"}}
