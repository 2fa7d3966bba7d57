"""The settings of the local stack: every parameter of template.yaml, set by `BATCHYARD_<NAME_IN_SNAKE_CASE>`."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.errors import ParameterError

PREFIX = "BATCHYARD_"
_NEAR = 0.6
_BOUNDS = ("_FLOOR_", "_CEILING_")


@dataclass(frozen=True)
class Parameter:
    """A parameter of the template."""

    #: Its name in the template.
    name: str
    #: Its `Type`: `String` or `Number`.
    kind: str = "String"
    #: Its default as text; None if it must be given.
    default: str | None = None
    #: What it means, in one line.
    description: str = ""
    #: All that the template says of it, such as `AllowedValues` and `MinValue`.
    rules: Mapping[str, Any] = field(default_factory=dict)

    @property
    def variable(self) -> str:
        """Return the environment variable that sets the parameter: `MaxAttempts` → `BATCHYARD_MAX_ATTEMPTS`."""
        return PREFIX + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.name).upper()

    def complaint(self, value: str, variable: str) -> str | None:
        """Say in a sentence why CloudFormation would refuse the `value` of `variable`; None if it would take the value."""
        reason = self._complaint(value)
        if reason is None:
            return None
        shown = "the value" if self.rules.get("NoEcho") else repr(value)
        return f"{variable}: {shown} {reason}." + _hint(value, self.rules.get("AllowedValues", ()), _NEAR)

    def _complaint(self, value: str) -> str | None:
        allowed = [str(choice) for choice in self.rules.get("AllowedValues", ())]
        if allowed and value not in allowed:
            return f"is none of {', '.join(filter(None, allowed))}"
        if self.kind == "Number":
            return self._number_complaint(value)
        pattern = self.rules.get("AllowedPattern")
        if pattern and not re.fullmatch(pattern, value):
            return self.rules.get("ConstraintDescription") or f"does not match {pattern}"
        if len(value) < int(self.rules.get("MinLength", 0)):
            return f"is shorter than {self.rules['MinLength']}"
        if len(value) > int(self.rules.get("MaxLength", len(value))):
            return f"is longer than {self.rules['MaxLength']}"
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
    """Return the parameters of a parsed template, each under its environment variable."""
    found = [_parameter(name, rules) for name, rules in template.get("Parameters", {}).items()]
    return {parameter.variable: parameter for parameter in found}


def overrides(known: Mapping[str, Parameter], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the values that `environment` gives, by parameter name.

    Raises:
        ParameterError: a variable with the prefix is unknown, or a value does not fit. Each has a line in the text.

    """
    given = {
        variable: value for variable, value in environment.items() if variable.startswith(PREFIX) or variable in known
    }
    complaints = [_complaint(known, variable, value) for variable, value in given.items()]
    if not any(complaints):
        complaints = [_floor_complaint(known, variable, given) for variable in given]
    if any(complaints):
        raise ParameterError("\n".join(filter(None, complaints)))
    return {known[variable].name: value for variable, value in given.items()}


def _floor_complaint(known: Mapping[str, Parameter], variable: str, given: Mapping[str, str]) -> str | None:
    """Complain of a floor that is above its ceiling, which is given or a default; CloudFormation cannot compare the two."""
    above = variable.replace(*_BOUNDS)
    if above == variable or above not in known:
        return None
    ceiling = given.get(above) or known[above].default
    if ceiling is None or float(given[variable]) <= float(ceiling):
        return None
    return f"{variable} ({given[variable]}) is above {above} ({ceiling}). Lower the one or raise the other."


def _complaint(known: Mapping[str, Parameter], variable: str, value: str) -> str | None:
    if variable in known:
        return known[variable].complaint(value, variable)
    return f"{variable} is no setting of Batchyard.{_hint(variable, known, 0)} `make help` lists them all."


def _hint(given: str, choices: Iterable[object], cutoff: float) -> str:
    near = difflib.get_close_matches(given, [str(choice) for choice in choices], n=1, cutoff=cutoff)
    return f" Did you mean {near[0]}?" if near else ""


def _parameter(name: str, rules: Mapping[str, Any]) -> Parameter:
    default = str(rules["Default"]) if "Default" in rules else None
    return Parameter(name, rules.get("Type", "String"), default, " ".join(rules.get("Description", "").split()), rules)
