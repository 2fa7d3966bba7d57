"""What IAM asks for each call to AWS, by the Service Authorization Reference and the pages of the calls themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Parameters: TypeAlias = Mapping[str, Any]

ACCOUNT: Final = "123456789012"  # moto's own


class Permission(NamedTuple):
    """An action on a resource, and what conditions may ask about it."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


def needed(service: str, operation: str, parameters: Parameters, region: str) -> list[Permission]:
    """List what a call asks for; KeyError for one that nothing is known about: say it here."""
    return list(_NEEDS[service, operation](parameters, f"{region}:{ACCOUNT}"))


def _object(action: str) -> Callable[[Parameters, str], Iterator[Permission]]:
    def permissions(parameters: Parameters, _: str) -> Iterator[Permission]:
        yield Permission(f"s3:{action}", _arn(parameters))

    return permissions


def _read(parameters: Parameters, _: str) -> Iterator[Permission]:
    """A version that is named asks for another permission than the current one, not for both."""
    yield Permission("s3:GetObjectVersion" if "VersionId" in parameters else "s3:GetObject", _arn(parameters))


def _write(parameters: Parameters, _: str) -> Iterator[Permission]:
    yield Permission("s3:PutObject", _arn(parameters))
    if "Tagging" in parameters:
        yield Permission("s3:PutObjectTagging", _arn(parameters))


def _copy(parameters: Parameters, where: str) -> Iterator[Permission]:
    """The parts of a copy carry no tags, unlike CopyObject."""
    yield from _write(parameters, where)
    yield from _read(parameters["CopySource"], where)


def _remove(parameters: Parameters, _: str) -> Iterator[Permission]:
    """To remove a version, "you must always specify the s3:DeleteObject permission", too."""
    yield Permission("s3:DeleteObject", _arn(parameters))
    if "VersionId" in parameters:
        yield Permission("s3:DeleteObjectVersion", _arn(parameters))


def _remove_all(parameters: Parameters, where: str) -> Iterator[Permission]:
    for each in parameters["Delete"]["Objects"]:
        yield from _remove({"Bucket": parameters["Bucket"], **each}, where)


def _list_versions(parameters: Parameters, _: str) -> Iterator[Permission]:
    prefix = (("s3:prefix", parameters.get("Prefix", "")),)
    yield Permission("s3:ListBucketVersions", f"arn:aws:s3:::{parameters['Bucket']}", prefix)


def _list_objects(parameters: Parameters, _: str) -> Iterator[Permission]:
    prefix = (("s3:prefix", parameters.get("Prefix", "")),)
    yield Permission("s3:ListBucket", f"arn:aws:s3:::{parameters['Bucket']}", prefix)


def _item(action: str) -> Callable[[Parameters, str], Iterator[Permission]]:
    def permissions(parameters: Parameters, where: str) -> Iterator[Permission]:
        yield Permission(
            f"dynamodb:{action}", _table(parameters, where), _leading(parameters.get("Key") or parameters["Item"])
        )

    return permissions


def _items(parameters: Parameters, where: str) -> Iterator[Permission]:
    for table, wanted in parameters["RequestItems"].items():
        for key in wanted["Keys"]:
            yield Permission("dynamodb:BatchGetItem", _table({"TableName": table}, where), _leading(key))


def _query(parameters: Parameters, where: str) -> Iterator[Permission]:
    """The leading key of a query is the one that its condition names, of the index if there is one."""
    index = f"/index/{parameters['IndexName']}" if "IndexName" in parameters else ""
    value = re.match(r"\w+ = (:\w+)", parameters["KeyConditionExpression"])
    assert value, parameters["KeyConditionExpression"]
    keys = _leading({"pk": parameters["ExpressionAttributeValues"][value[1]]})
    yield Permission("dynamodb:Query", _table(parameters, where) + index, keys)


def _leading(key: Parameters) -> tuple[tuple[str, str], ...]:
    return (("dynamodb:LeadingKeys", key["pk"]["S"]),)


def _transaction(parameters: Parameters, where: str) -> Iterator[Permission]:
    """A transaction has no action of its own: each member asks for what it would alone, and a check for one of its own."""
    for member in parameters["TransactItems"]:
        for kind, request in member.items():
            keys = _leading(request.get("Key") or request["Item"])
            yield Permission(f"dynamodb:{kind}Item", _table(request, where), keys)


def _start(parameters: Parameters, _: str) -> Iterator[Permission]:
    yield Permission("states:StartExecution", parameters["stateMachineArn"])


def _list_executions(parameters: Parameters, _: str) -> Iterator[Permission]:
    yield Permission("states:ListExecutions", parameters["stateMachineArn"])


def _describe(parameters: Parameters, _: str) -> Iterator[Permission]:
    yield Permission("states:DescribeExecution", parameters["executionArn"])


def _tell(parameters: Parameters, where: str) -> Iterator[Permission]:
    for entry in parameters["Entries"]:
        yield Permission("events:PutEvents", f"arn:aws:events:{where}:event-bus/{entry['EventBusName']}")


def _invoke(parameters: Parameters, where: str) -> Iterator[Permission]:
    name = parameters["FunctionName"]
    arn = name if name.startswith("arn:") else f"arn:aws:lambda:{where}:function:{name}"
    yield Permission("lambda:InvokeFunction", arn)


def _schedule(action: str) -> Callable[[Parameters, str], Iterator[Permission]]:
    """To make a schedule, the role of its target is passed on."""

    def permissions(parameters: Parameters, where: str) -> Iterator[Permission]:
        yield Permission(
            f"scheduler:{action}", f"arn:aws:scheduler:{where}:schedule/{parameters['GroupName']}/{parameters['Name']}"
        )
        if "Target" in parameters:
            passed = (("iam:PassedToService", "scheduler.amazonaws.com"),)
            yield Permission("iam:PassRole", parameters["Target"]["RoleArn"], passed)

    return permissions


def _secret(parameters: Parameters, where: str) -> Iterator[Permission]:
    yield Permission("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{where}:secret:{parameters['SecretId']}")


def _publish(parameters: Parameters, _: str) -> Iterator[Permission]:
    yield Permission("sns:Publish", parameters["TopicArn"])


def _arn(parameters: Parameters) -> str:
    return f"arn:aws:s3:::{parameters['Bucket']}/{parameters['Key']}"


def _table(parameters: Parameters, where: str) -> str:
    return f"arn:aws:dynamodb:{where}:table/{parameters['TableName']}"


_NEEDS: Final[dict[tuple[str, str], Callable[[Parameters, str], Iterator[Permission]]]] = {
    ("scheduler", "CreateSchedule"): _schedule("CreateSchedule"),
    ("scheduler", "DeleteSchedule"): _schedule("DeleteSchedule"),
    ("scheduler", "UpdateSchedule"): _schedule("UpdateSchedule"),
    ("s3", "HeadObject"): _read,
    ("s3", "GetObject"): _read,
    ("s3", "PutObject"): _write,
    ("s3", "PutObjectTagging"): _object("PutObjectTagging"),
    ("s3", "DeleteObject"): _remove,
    ("s3", "DeleteObjects"): _remove_all,
    ("s3", "CreateMultipartUpload"): _write,
    ("s3", "UploadPart"): _object("PutObject"),
    ("s3", "UploadPartCopy"): _copy,
    ("s3", "ListParts"): _object("ListMultipartUploadParts"),
    ("s3", "CompleteMultipartUpload"): _object("PutObject"),
    ("s3", "AbortMultipartUpload"): _object("AbortMultipartUpload"),
    ("s3", "ListObjectVersions"): _list_versions,
    ("s3", "ListObjectsV2"): _list_objects,
    ("dynamodb", "GetItem"): _item("GetItem"),
    ("dynamodb", "BatchGetItem"): _items,
    ("dynamodb", "PutItem"): _item("PutItem"),
    ("dynamodb", "UpdateItem"): _item("UpdateItem"),
    ("dynamodb", "Query"): _query,
    ("dynamodb", "TransactWriteItems"): _transaction,
    ("sfn", "StartExecution"): _start,
    ("sfn", "DescribeExecution"): _describe,
    ("sfn", "ListExecutions"): _list_executions,
    ("eventbridge", "PutEvents"): _tell,
    ("lambda", "Invoke"): _invoke,
    ("secrets-manager", "GetSecretValue"): _secret,
    ("sns", "Publish"): _publish,
}
