"""The user's settings of the local stack, checked against the template before anything is started."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from local.errors import ParameterError
from local.stack.deploy import Template
from local.stack.parameters import Parameter, overrides, parameters
from local.stack.provider_choice import KEY, URL, Own, Provider, named_provider

# The emulator answers within seconds: waiting as long as for a real provider would only make a trial run slow.
EMULATOR_VALUES: Mapping[str, str] = {"PollFloorSeconds": "1", "RetryFloorSeconds": "1"}
# A person watches a local run. The waits grow by themselves if the provider takes long.
OWN_VALUES: Mapping[str, str] = {"PollFloorSeconds": "5", "RetryFloorSeconds": "5"}
# Secrets are no parameters of the template. On AWS `make provider-key` stores them, here they are set like parameters.
KEY_OF_PROVIDER = Parameter(
    "ProviderApiKey",
    rules={"NoEcho": True, "AllowedPattern": "[!-~]+", "ConstraintDescription": "must be plain text without spaces"},
)
SECRET_OF_WEBHOOKS = Parameter(
    "ProviderWebhookSecret",
    default="",
    description="What the provider signs its webhooks with, several with spaces between. Empty means that none is believed.",
    rules={
        "NoEcho": True,
        "AllowedPattern": "[!-~]*( [!-~]+)*",
        "ConstraintDescription": "must be empty, or secrets with single spaces between",
    },
)
ADDRESS_OF_CHAT = Parameter(
    "ChatAddress",
    default="",
    description="The address of the webhook of the chat that NotifyChat names. Empty means that nothing is told there.",
    rules={
        "NoEcho": True,
        "AllowedPattern": r"^$|https?://[!-~]+",
        "ConstraintDescription": "must be empty or a URL without spaces",
    },
)
#: Which output of the stack names the secret that holds it, by name.
SECRETS: Mapping[str, str] = {
    KEY_OF_PROVIDER.name: "ProviderSecretArn",
    SECRET_OF_WEBHOOKS.name: "WebhookSecretArn",
    ADDRESS_OF_CHAT.name: "ChatSecretArn",
}
_KEEP = "KeepProviderFiles"
_CHAT = "NotifyChat"
# The docs have them in the user's environment, for the command batchyard and make status; they are no parameters.
_OF_COMMANDS = {"BATCHYARD_URL", "BATCHYARD_KEY", "BATCHYARD_HOME"}
_USUAL_NAMES = {URL: "BATCHYARD_" + URL, KEY: "BATCHYARD_" + KEY}


@dataclass(frozen=True)
class Settings:
    """Values for parameters of the template and for secrets, and the user's own provider; None means the emulator."""

    #: Values of template parameters, by the names of the parameters.
    values: Mapping[str, str]
    #: The user's own provider, or several; None means the emulator.
    own: Own | None = None
    #: Whether the stack keeps the files at that provider for whoever fetches the results, and then deletes the files.
    deletes_late: bool = False

    def deleting_late(self) -> "Settings":
        """Return settings by which no answer is deleted at the user's own provider, unless the user's settings say more."""
        if self.own is None or _KEEP in self.values:
            return self
        return replace(self, values={**self.values, _KEEP: "true"}, deletes_late=True)

    @property
    def advice(self) -> str:
        """Say what the settings leave without effect; an empty text if nothing."""
        if not self.values.get(_CHAT) or self.values.get(ADDRESS_OF_CHAT.name):
            return ""
        return (
            f"BATCHYARD_NOTIFY_CHAT is {self.values[_CHAT]}, and {ADDRESS_OF_CHAT.variable} is not set: nothing is told in a "
            "chat. Set it to the address of the chat's webhook."
        )

    def parameters_for(self, template: Template, provider: Own) -> dict[str, str]:
        """Return the parameters for a deploy of `template` that sends batches to `provider`."""
        values = {**(OWN_VALUES if self.own else EMULATOR_VALUES), **self.values, **provider.values}
        return {name: value for name, value in values.items() if name in template.get("Parameters", {})}

    def secrets(self, provider: Own) -> dict[str, str]:
        """Return what to store in the secrets of a stack whose batches go to `provider`, by the output that names each."""
        values = {**self.values, **provider.values}
        return {output: values[name] for name, output in SECRETS.items() if values.get(name)}


def settings_from(template: Template, host: Mapping[str, str]) -> Settings:
    """Return what the user's environment `host` sets by BATCHYARD_*, PROVIDER_BASE_URL and PROVIDER_API_KEY.

    Raises:
        ParameterError: a setting is unknown, does not fit, or lacks another one. Each has a line in the text.
        ProviderUnclearError: only the address or only the key of the provider is set.

    """
    secrets = (KEY_OF_PROVIDER, SECRET_OF_WEBHOOKS, ADDRESS_OF_CHAT)
    known = {**parameters(template), **{each.variable: each for each in secrets}}
    usual = {name: known[variable] for name, variable in _USUAL_NAMES.items() if variable in known}
    pair = named_provider(host)
    # an empty variable counts as one that is not set
    empty = {name for name in (*usual, *_USUAL_NAMES.values()) if not host.get(name)}
    values = overrides(
        {**known, **usual}, {name: value for name, value in host.items() if name not in empty | _OF_COMMANDS}
    )
    if values.get(ADDRESS_OF_CHAT.name) and not values.get(_CHAT):
        raise ParameterError(
            f"{ADDRESS_OF_CHAT.variable} is of no use alone: set BATCHYARD_NOTIFY_CHAT to slack or teams."
        )
    return Settings(values, Provider(*pair, values.get("ProviderProfile", "")) if pair else None)
