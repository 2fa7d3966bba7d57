"""Write docs/settings.md, the page of all settings, from template.yaml: `make docs`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from local import ROOT
from local.stack.deploy import TEMPLATE, Template, read_template
from local.stack.parameters import Parameter, parameters

PAGE = ROOT / "docs/settings.md"
_INTERFACE = "AWS::CloudFormation::Interface"
_UNGROUPED, _ALL = "Other settings", "All settings"
_OBLIGATION = "must be "  # how a ConstraintDescription begins
_INTRODUCTION = """\
# Settings

For the person who deploys the stack or runs it on one machine, and wants to know what can be set.

<!-- `make docs` writes this page from template.yaml. Change the template, not the page. -->

Each setting is a parameter of [`template.yaml`](../template.yaml). On AWS a deploy sets it, and
[a later deploy changes it](operations.md#change-a-setting):

```sh
sam build && sam deploy --parameter-overrides MaxAttempts=5
```

[On one machine](local.md#settings) the same setting is an environment variable:

```sh
BATCHYARD_MAX_ATTEMPTS=5 make run
```

The provider's key, the secret of its webhooks and the address of a chat are no parameters: `make provider-key`
[stores them](operations.md#the-providers-key) in the stack. On one machine they are `PROVIDER_API_KEY`,
`BATCHYARD_PROVIDER_WEBHOOK_SECRET` and `BATCHYARD_CHAT_ADDRESS`.
"""
_BAR = r"\|"  # a bar within a cell of a table
_HEAD = "| setting | default | allowed | meaning |\n|---|---|---|---|"


def page(template: Template) -> str:
    """Return the page of a parsed template: one table of parameters for each group of the template."""
    sections = (_section(title, members) for title, members in _groups(template))
    return "\n".join((_INTRODUCTION, "\n\n".join(sections), ""))


def main(target: Path = PAGE) -> None:
    """Write the page of template.yaml."""
    target.write_text(page(read_template(TEMPLATE)), encoding="utf-8")


def _groups(template: Template) -> Iterator[tuple[str, Sequence[Parameter]]]:
    """Yield the title and the parameters of each group; parameters without a group come last."""
    left = {parameter.name: parameter for parameter in parameters(template).values()}
    named = template.get("Metadata", {}).get(_INTERFACE, {}).get("ParameterGroups", [])
    for group in named:
        members = [left.pop(name) for name in group["Parameters"]]
        yield group["Label"]["default"], members
    if left:
        yield _UNGROUPED if named else _ALL, list(left.values())


def _section(title: str, members: Sequence[Parameter]) -> str:
    return "\n".join((f"## {title}\n", _HEAD, *map(_row, members)))


def _row(parameter: Parameter) -> str:
    cells = (f"`{parameter.name}`", _default(parameter), _allowed(parameter.rules), parameter.description)
    return f"| {' | '.join(cell.replace('|', _BAR) for cell in cells)} |"


def _default(parameter: Parameter) -> str:
    if parameter.default is None:
        return "none; it must be given"
    return _code(parameter.default)


def _allowed(rules: Mapping[str, Any]) -> str:
    """Return in words what CloudFormation accepts: one of several values, a range, a form, or any text."""
    if "AllowedValues" in rules:
        return ", ".join(map(_code, rules["AllowedValues"]))
    if {"MinValue", "MaxValue"} <= rules.keys():
        return f"{rules['MinValue']:,} to {rules['MaxValue']:,}"
    if "ConstraintDescription" in rules:
        return str(rules["ConstraintDescription"]).removeprefix(_OBLIGATION)
    return "a number" if rules.get("Type") == "Number" else "any text"


def _code(value: object) -> str:
    return f"`{value}`" if str(value) else "empty"


if __name__ == "__main__":
    main()
