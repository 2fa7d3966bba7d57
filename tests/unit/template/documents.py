"""The template and the state machine as data: as they are written, and as SAM expands them."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local.stack.deploy import TEMPLATE, read_template

ROOT = Path(__file__).resolve().parents[3]
# what SAM itself attaches to a function's role; asking AWS for the list would need an account
MANAGED_POLICIES = {"AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}

Json = Any  # what a JSON or YAML document holds; its shape is what the tests are about


@cache
def template() -> Json:
    return read_template(TEMPLATE)


@cache
def expanded() -> Json:
    """Return the template as CloudFormation sees it, with code that is not uploaded anywhere."""
    document = read_template(TEMPLATE)
    for resource in document["Resources"].values():
        for key in {"CodeUri", "ContentUri", "DefinitionUri"} & set(resource.get("Properties", {})):
            resource["Properties"][key] = "s3://bucket/key"
    session = boto3.Session(region_name="us-east-1")  # SAM wants a region to name partitions by
    return Translator(MANAGED_POLICIES, Parser(), boto_session=session).translate(document, {})


@cache
def state_machine(name: str = "batch") -> Json:
    return json.loads((ROOT / f"functions/{name}.asl.json").read_text(encoding="utf-8"))


#: The integrations of Step Functions by the name that the definitions have for them; an ARN begins with the partition.
INTEGRATIONS: Final = {
    "LambdaInvoke": "arn:aws:states:::lambda:invoke",
    "StartExecutionSync": "arn:aws:states:::states:startExecution.sync:2",
    "S3GetObject": "arn:aws:states:::s3:getObject",
}


@cache
def uses() -> dict[str, dict[str, list[str]]]:
    """Return by door, and by the test that needs them, the actions that a function is granted: `<Sid> <action>`."""
    return tomllib.loads((ROOT / "tests/unit/template/uses.toml").read_text(encoding="utf-8"))


def resources(kind: str, document: Json = None) -> dict[str, Json]:
    """Return the properties of every resource of one type, by logical id; never of none."""
    every = (document or template())["Resources"]
    found = {name: resource["Properties"] for name, resource in every.items() if resource["Type"] == kind}
    assert found, kind
    return found


def functions() -> dict[str, Json]:
    return resources("AWS::Serverless::Function")


def statements_of(properties: Json) -> list[Json]:
    """Return the statements of a function's policy, also those that only some stacks have."""
    every = [statement for policy in properties["Policies"] for statement in policy["Statement"]]
    return [unconditional(statement) for statement in every]


def unconditional(member: Json) -> Json:
    """Return a member of a list as it is where its condition holds."""
    return member["Fn::If"][1] if "Fn::If" in member else member


def walk(node: Json) -> Iterator[Mapping[str, Json]]:
    """Yield every object in a document, outermost first."""
    if isinstance(node, Mapping):
        yield node
    for child in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from walk(child)


def references(node: Json) -> set[str]:
    """Return every name that a `Ref`, `Fn::GetAtt` or `Fn::Sub` in `node` points at."""
    found: set[str] = set()
    for item in walk(node):
        if isinstance(item.get("Ref"), str):
            found.add(item["Ref"])
        if "Fn::GetAtt" in item:
            target = item["Fn::GetAtt"]
            found.add(target.split(".")[0] if isinstance(target, str) else target[0])
        if "Fn::Sub" in item:
            found |= _substituted(item["Fn::Sub"])
    return found


def _substituted(value: Json) -> set[str]:
    text, own = (value[0], set(value[1])) if isinstance(value, list) else (value, set())
    names = {part.split("}")[0].split(".")[0] for part in text.split("${")[1:]}
    return {name for name in names if not name.startswith("!")} - own


def listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]
