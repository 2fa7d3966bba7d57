"""Each call to AWS is held against the policy of the function that makes it, as IAM would hold it."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module
from inspect import ismodule
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from tests.integration.batchyard.permissions import ACCOUNT, Permission, needed
from tests.unit.template.documents import ROOT, functions, listed, resources, statements_of, uses

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping
    from types import FrameType

    import pytest
    from botocore.hooks import BaseEventHooks
    from botocore.model import OperationModel

    from batchyard.settings import Settings

CORE: Final = ROOT / "layers/core/batchyard"
FOLDER: Final = ROOT / "tests/integration/batchyard"


def _behind_routes() -> set[str]:
    """Name the modules that the routes of the API call, those of the routes themselves, and the one that asks for the key."""
    routes = [import_module(f"batchyard.api.{path.stem}") for path in CORE.glob("api/*routes.py")]
    called = {
        value.__name__ if ismodule(value) else getattr(value, "__module__", "")
        for each in routes
        for value in vars(each).values()
    }
    ours = {name for name in called if name.startswith("batchyard.") and name != "batchyard.services"}
    return {*ours, "batchyard.api.app"}


def _doors() -> dict[str, str]:
    """Name the door of each operation by the operation's module, which has the door's name and lies in any room."""
    names = {path.parent.name for path in ROOT.glob("functions/*/handler.py")}
    operations = {f"batchyard.{path.parent.name}.{path.stem}": path.stem for path in CORE.glob("*/*.py")}
    return {module: name for module, name in operations.items() if name in names} | dict.fromkeys(
        _behind_routes() | {"batchyard.api.app"}, "api"
    )


DOORS: Final = _doors()
MISSING: Final = {"NoSuchKey": "AccessDenied", "NoSuchVersion": "AccessDenied", "404": "403"}


class Grant(NamedTuple):
    """One action of one statement."""

    function: str
    sid: str
    action: str


@dataclass
class Roles:
    """The functions' policies in a world's own names; what was used of them, and what was denied."""

    settings: Settings
    region: str
    used: set[Grant] = field(default_factory=set)
    denied: list[str] = field(default_factory=list)

    def listen(self, events: BaseEventHooks) -> None:
        """Hear of every call before it is made, presigned ones too, and of what comes of those to S3."""
        events.register("provide-client-params", self._called)
        events.register("after-call.s3", self._hide)

    def _called(self, params: dict[str, Any], model: OperationModel, **_: Any) -> None:
        door = playing()
        if door is None:
            return
        service = model.service_model.service_id.hyphenize()
        for permission in needed(service, model.name, params, self.region):
            self.ask(door, permission, model.name)

    def ask(self, door: str, permission: Permission, call: str = "a call to a provider") -> None:
        """Note that the function of a door uses this; raises ClientError if it may not."""
        grant = self.grant(door, permission)
        if grant is None:
            self.denied.append(
                f"{door} may not {permission.action} on {permission.resource} {dict(permission.context)}"
            )
            told: Any = {"Error": {"Code": "AccessDenied", "Message": self.denied[-1]}}
            raise ClientError(told, call)
        self.used.add(grant)

    def ask_role(self, role: str, permission: Permission) -> None:
        """Hold what a service does against the role of the template with which it comes."""
        may = [
            each
            for policy in resources("AWS::IAM::Role")[role]["Policies"]
            for each in policy["PolicyDocument"]["Statement"]
        ]
        if not any(permission.action in listed(each["Action"]) and self._fits(each, permission) for each in may):
            self.denied.append(f"{role} may not {permission.action} on {permission.resource}")

    def _hide(self, parsed: dict[str, Any], **_: Any) -> None:
        """Say no more of a missing object than S3 does to those who may not list the bucket, which is nobody here."""
        code = parsed.get("Error", {}).get("Code")
        if code in MISSING and playing() is not None:
            parsed["Error"]["Code"] = MISSING[code]

    def grant(self, door: str, permission: Permission) -> Grant | None:
        """Find what lets the function of a door do this; None if nothing does."""
        for statement in statements(door):
            if permission.action in listed(statement["Action"]) and self._fits(statement, permission):
                return Grant(door, statement["Sid"], permission.action)
        return None

    def _fits(self, statement: Mapping[str, Any], permission: Permission) -> bool:
        """Tell whether a statement is about a resource, and its conditions hold; each key has one value here."""
        asked = statement.get("Condition", {})
        assert asked.keys() <= {"StringEquals", "StringLike", "ForAllValues:StringLike"}, (
            "the only conditions these tests know"
        )
        wanted = [each for of_operator in asked.values() for each in of_operator.items()]
        context = dict(permission.context)
        if statement["Resource"] == "*":
            return permission.resource == "*"
        places = [self._resolved(each) for each in listed(statement["Resource"])]
        return any(fnmatchcase(permission.resource, place) for place in places) and all(
            any(fnmatchcase(context[key], pattern) for pattern in listed(patterns)) for key, patterns in wanted
        )

    def _resolved(self, resource: Mapping[str, Any]) -> str:
        ((kind, value),) = resource.items()
        text = value if kind == "Fn::Sub" else f"${{{'.'.join(listed(value))}}}"
        for name, arn in _arns(self.settings, self.region).items():
            text = text.replace(f"${{{name}}}", arn)
        assert "${" not in text, f"no name for {text} in this world"
        return str(text)


@cache
def _arns(settings: Settings, region: str) -> dict[str, str]:
    """Name what the template's policies name, as it is called in a world of these settings."""
    where = f"{region}:{ACCOUNT}"
    return {
        "AWS::Partition": "aws", "AWS::Region": region, "AWS::AccountId": ACCOUNT,
        "BedrockRole.Arn": settings.provider_role_arn,
        "BedrockRoleArn": f"arn:aws:iam::{ACCOUNT}:role/named",
        "DataBucket.Arn": f"arn:aws:s3:::{settings.bucket}",
        "Table.Arn": f"arn:aws:dynamodb:{where}:table/{settings.table}",
        "EventBus.Arn": f"arn:aws:events:{where}:event-bus/{settings.event_bus}",
        "BatchStateMachine": settings.state_machine_arn,
        "BatchStateMachine.Name": settings.state_machine_arn.rpartition(":")[2],
        "WebhookStateMachine": settings.webhook_state_machine_arn,
        "CancelFunction.Arn": f"arn:aws:lambda:{where}:function:{settings.cancel_function}",
        "AdvanceFunction.Arn": f"arn:aws:lambda:{where}:function:{settings.advance_function}",
        "TriggerFunction.Arn": settings.trigger_function,
        "GatherFunction.Arn": f"arn:aws:lambda:{where}:function:{settings.gather_function}",
        "ScheduleGroup": settings.schedule_group,
        "ScheduleRole.Arn": settings.schedule_role_arn,
        "ProviderSecret.Id": f"arn:aws:secretsmanager:{where}:secret:{settings.provider_secret_id}",
        "WebhookSecret.Id": f"arn:aws:secretsmanager:{where}:secret:{settings.provider_webhook_secret_id}",
        "ChatSecret.Id": f"arn:aws:secretsmanager:{where}:secret:{settings.chat_secret_id}",
        "NotificationTopic": settings.notification_topic_arn,
        "SigningSecret.Id": f"arn:aws:secretsmanager:{where}:secret:{settings.signing_secret_id}",
    }  # fmt: skip


@cache
def statements(door: str) -> list[Any]:
    """List what the function of a door may do."""
    (properties,) = (each for each in functions().values() if each["CodeUri"] == f"functions/{door}")
    return statements_of(properties)


def needed_by(test: pytest.Item) -> set[Grant]:
    """List what the table of uses names this test for."""
    name = f"{test.path.relative_to(FOLDER)}::{test.name}"
    return {Grant(door, *use.split()) for door, tests in uses().items() for use in tests.get(name, ())}


def playing(skipped: Container[str] = ()) -> str | None:
    """Name the door whose operation makes the call that is under way; None for a call of the test itself.

    Modules that are `skipped`, such as a provider's, are called and call nothing.

    A thread that an operation started has none of its own: then it is the operation that the test's own thread is in.
    """
    own, main = list(_modules(sys._getframe())), threading.main_thread().ident or 0  # noqa: SLF001 - who calls is what counts
    own = own[next((at for at, module in enumerate(own) if module not in skipped), len(own)) :]
    if not own or own[0].startswith("tests."):
        return None
    return _door(own) or _door(_modules(sys._current_frames().get(main)))  # noqa: SLF001 - as above


def _modules(frame: FrameType | None) -> Iterator[str]:
    """Yield the modules of ours that call, innermost first."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(("batchyard.", "tests.")) and module != __name__:
            yield module
        frame = frame.f_back


def _door(modules: Iterable[str]) -> str | None:
    """Find the outermost operation that runs; what a test lets happen amid another operation is a door of its own."""
    found = None
    for module in modules:
        if found and module.startswith("tests."):
            break
        found = DOORS.get(module, found)
    return found
