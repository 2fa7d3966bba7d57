"""Deploy template.yaml on the engine, as `sam deploy` deploys it on AWS: the same template with nothing left out."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import intrinsics_multi_constructor

from local import ROOT
from local.errors import DeployError
from local.stack.artifacts import zip_function, zip_layer
from local.stack.clients import Clients

TEMPLATE = ROOT / "template.yaml"
STACK = "batchyard"
ARTIFACTS_BUCKET = "batchyard-artifacts"
NOTIFICATIONS = "NotificationTopicArn"  # the output that is there where people are notified
_TIMEOUT_SECONDS = 300.0
_POLL_SECONDS = 0.1

Template = dict[str, Any]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # by libyaml where there is one
    """Reads YAML as SAM does, in a third of the time."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def read_template(path: Path) -> Template:
    """Return the parsed template, its short intrinsic functions (`!Ref`) in their long form."""
    template: Template = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
    return template


def build(template: Template, root: Path, scratch: Path) -> dict[str, Path]:
    """Build the file of every local path in `template`, and return the files by logical id; a folder becomes a zip."""
    return {
        logical_id: _build_one(logical_id, root / properties[member], member, scratch)
        for logical_id, properties, member in local_paths(template)
    }


def _build_one(logical_id: str, path: Path, member: str, scratch: Path) -> Path:
    if member == "DefinitionUri":
        return path
    return zip_layer(path, logical_id, scratch) if member == "ContentUri" else zip_function(path, scratch)


def local_paths(template: Template) -> list[tuple[str, dict[str, Any], str]]:
    """Return (logical id, properties, member) of every function, layer and state machine that names a local path."""
    members = {
        "AWS::Serverless::Function": "CodeUri",
        "AWS::Serverless::LayerVersion": "ContentUri",
        "AWS::Serverless::StateMachine": "DefinitionUri",
    }
    found = []
    for logical_id, resource in template["Resources"].items():
        member = members.get(resource["Type"])
        if member and isinstance(resource["Properties"].get(member), str):
            found.append((logical_id, resource["Properties"], member))
    return found


def deploy(
    template: Template, files: Mapping[str, Path], values: Mapping[str, str], clients: Clients
) -> dict[str, str]:
    """Create the stack from `template` and return the stack's outputs.

    `files` come from `build` and are put into the engine's S3. `values` are template parameters. `template` is changed.

    Raises:
        DeployError: the engine refused the template or rolled the stack back.

    """
    s3 = clients.s3
    s3.create_bucket(Bucket=ARTIFACTS_BUCKET)
    for logical_id, properties, member in local_paths(template):
        key = f"{logical_id}/{files[logical_id].name}"
        s3.upload_file(str(files[logical_id]), ARTIFACTS_BUCKET, key)
        properties[member] = {"Bucket": ARTIFACTS_BUCKET, "Key": key}
    s3.put_object(Bucket=ARTIFACTS_BUCKET, Key="template.json", Body=json.dumps(template).encode())
    cloudformation = clients.other("cloudformation")
    cloudformation.create_stack(
        StackName=STACK,
        TemplateURL=f"{clients.endpoint_url}/{ARTIFACTS_BUCKET}/template.json",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    return _await_outputs(cloudformation)


def store_secrets(values: Mapping[str, str], outputs: Mapping[str, str], clients: Clients) -> None:
    """Store each of `values` in the secret that the output of its name names, as `make provider-key` does on AWS."""
    for output, value in values.items():
        clients.other("secretsmanager").put_secret_value(SecretId=outputs[output], SecretString=value)


def name_console(url: str, outputs: Mapping[str, str], clients: Clients) -> None:
    """Have mails and chats name the address that the console has here; on AWS it is that of the HTTP API."""
    if NOTIFICATIONS not in outputs:
        return
    found = clients.other("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId="InformFunction")
    functions, name = clients.other("lambda"), found["StackResourceDetail"]["PhysicalResourceId"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**variables, "CONSOLE_URL": url}}
    )


def _await_outputs(cloudformation: Any) -> dict[str, str]:  # noqa: ANN401 - CloudFormation's stubs are not installed
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if stack["StackStatus"] != "CREATE_IN_PROGRESS":
            raise DeployError(_failure_reasons(cloudformation) or stack.get("StackStatusReason", stack["StackStatus"]))
        time.sleep(_POLL_SECONDS)
    raise DeployError(f"The stack was not complete after {_TIMEOUT_SECONDS:.0f} seconds.")


def _failure_reasons(cloudformation: Any) -> str:  # noqa: ANN401 - as _await_outputs
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    return "\n".join(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed)
