"""The settings of the local stack: every parameter of template.yaml, set by `BATCHYARD_<NAME_IN_SNAKE_CASE>`."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.errors import ParameterError

PREFIX = "BATCHYARD_"


@dataclass(frozen=True)
class Parameter:
    """A parameter of the template, as its author described it."""

    name: str
    kind: str = "String"
    default: str | None = None
    description: str = ""
    rules: Mapping[str, Any] = field(default_factory=dict)

    @property
    def variable(self) -> str:
        """Return the environment variable that sets it: `MaxAttempts` → `BATCHYARD_MAX_ATTEMPTS`."""
        return PREFIX + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.name).upper()

    def check(self, value: str) -> str:
        """Return `value`, or raise a ParameterError that says why CloudFormation would refuse it."""
        complaint = self._complaint(value)
        if complaint:
            shown = "The value" if self.rules.get("NoEcho") else repr(value)
            raise ParameterError(f"{self.variable}: {shown} {complaint}.")
        return value

    def _complaint(self, value: str) -> str | None:
        allowed = [str(choice) for choice in self.rules.get("AllowedValues", ())]
        if allowed and value not in allowed:
            return f"is none of {', '.join(allowed)}"
        if self.kind == "Number":
            return self._number_complaint(value)
        pattern = self.rules.get("AllowedPattern")
        if pattern and not re.fullmatch(pattern, value):
            return self.rules.get("ConstraintDescription") or f"does not match {pattern}"
        if not self.rules.get("MinLength", 0) <= len(value) <= self.rules.get("MaxLength", len(value)):
            return "is too short or too long"
        return None

    def _number_complaint(self, value: str) -> str | None:
        if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            return "is not a number"
        if "." in value and (self.default or "").isdecimal():
            return "is not a whole number"
        number = float(value)
        if number < float(self.rules.get("MinValue", number)):
            return f"is less than {self.rules['MinValue']}"
        if number > float(self.rules.get("MaxValue", number)):
            return f"is more than {self.rules['MaxValue']}"
        return None


def parameters(template: Mapping[str, Any]) -> dict[str, Parameter]:
    """Return the parameters of a parsed template by their variables."""
    found = [_parameter(name, rules) for name, rules in template.get("Parameters", {}).items()]
    return {parameter.variable: parameter for parameter in found}


def overrides(known: Mapping[str, Parameter], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the values that `environment` gives, by parameter name.

    Raises:
        ParameterError: a variable with the prefix is unknown, or a value does not fit its parameter.

    """
    given = {variable: value for variable, value in environment.items() if variable.startswith(PREFIX)}
    for variable in given:
        if variable not in known:
            raise ParameterError(_unknown(variable, known))
    return {known[variable].name: known[variable].check(value) for variable, value in given.items()}


def _unknown(variable: str, known: Mapping[str, Parameter]) -> str:
    near = difflib.get_close_matches(variable, known, n=1, cutoff=0)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{variable} is no setting of Batchyard.{hint} `make help` lists them all."


def _parameter(name: str, rules: Mapping[str, Any]) -> Parameter:
    default = str(rules["Default"]) if "Default" in rules else None
    return Parameter(name, rules.get("Type", "String"), default, " ".join(rules.get("Description", "").split()), rules)
