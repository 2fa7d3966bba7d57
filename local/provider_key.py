"""Store the provider's API key, the secret of its webhooks, or the address of a chat in a stack on AWS.

`make provider-key` runs this. The value comes from a terminal, which does not show it, or from a pipe. It is no argument, for
a machine shows its users each other's commands; and it is never printed.
"""

import getpass
import sys
from dataclasses import dataclass
from typing import Any, Final

import boto3

from batchyard.adapters.aws import translated
from batchyard.domain.errors import BatchyardError
from local.stack.parameters import Parameter
from local.stack.settings import ADDRESS_OF_CHAT, KEY_OF_PROVIDER, SECRET_OF_WEBHOOKS, SECRETS

ADVICE: Final = "AWS_REGION and the credentials must be those of the stack."


@dataclass(frozen=True)
class Kind:
    """What is stored: how a person calls it, the rules for it, and what storing it changes."""

    title: str
    rules: Parameter
    effect: str


KEY: Final = Kind(
    "API key of the provider", KEY_OF_PROVIDER,
    "Batches that wait for a key go on by themselves, after ten minutes at most (RetryCeilingSeconds). If another key was "
    "stored before, revoke it at the provider: a function reads the new key once the provider refuses the old one.",
)  # fmt: skip
WEBHOOK: Final = Kind(
    "Signing secret of the provider's webhooks", SECRET_OF_WEBHOOKS,
    "Webhooks that are signed with it are believed from now on, or a minute after a forged one at the latest.",
)  # fmt: skip
CHAT: Final = Kind(
    "Address of the chat's webhook", ADDRESS_OF_CHAT,
    "Notifications go there from now on, or after a minute at the latest.",
)  # fmt: skip
KINDS: Final = {"--webhook": WEBHOOK, "--chat": CHAT}


def store(kind: Kind, secret: str, value: str) -> str:
    """Store the value in the secret with this name or ARN and return what was done; raises BatchyardError."""
    region = secret.split(":")[3] if secret.startswith("arn:") else None
    with translated(f"storing it in {secret}"):
        client = boto3.client("secretsmanager", region_name=region)
        stored = client.put_secret_value(SecretId=secret, SecretString=value)
    return f"{kind.title}: stored in the secret {stored['Name']}. {kind.effect}"


def secret_of(stack: str, kind: Kind) -> str:
    """Return the ARN of the secret that a stack has for this; raises BatchyardError."""
    with translated(f"reading the outputs of the stack {stack}"):
        cloudformation: Any = boto3.client("cloudformation")
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    outputs = {each["OutputKey"]: str(each["OutputValue"]) for each in found.get("Outputs", [])}
    if (name := SECRETS[kind.rules.name]) not in outputs:
        unset = " with NotifyChat set" if kind is CHAT else ""
        raise BatchyardError(
            f"the stack {stack} has no output {name}; is it a stack of Batchyard, and wholly deployed{unset}?"
        )
    return outputs[name]


def read(kind: Kind) -> str:
    """Read the value from a terminal, without showing it, or from a pipe; raises BatchyardError for what is none."""
    value = (getpass.getpass(f"{kind.title} (not shown): ") if sys.stdin.isatty() else sys.stdin.read()).strip()
    if not value:
        raise BatchyardError("nothing was given")
    if complaint := kind.rules.complaint(value, kind.title):
        raise BatchyardError(complaint.rstrip("."))
    return value


def main(stack: str, secret: str, kind: Kind) -> str:
    """Do what the command line asks and return what to print; what is wrong becomes the exit's one sentence."""
    try:
        where = secret or secret_of(stack, kind)
        return store(kind, where, read(kind))
    except (EOFError, KeyboardInterrupt):
        sys.exit("\nNothing was stored.")
    except BatchyardError as error:
        told = f"Nothing was stored: {str(error).rstrip('.')}."
        sys.exit(f"{told} {ADVICE}" if error.__cause__ else told)


if __name__ == "__main__":
    _, named_stack, named_secret, *flags = sys.argv
    sys.stdout.write(main(named_stack, named_secret, KINDS[flags[0]] if flags else KEY) + "\n")
