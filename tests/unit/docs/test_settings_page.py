from pathlib import Path
from typing import Any

import pytest

from local.settings_page import PAGE, main, page
from local.stack.deploy import TEMPLATE, read_template

NUMBER: dict[str, Any] = {
    "Type": "Number",
    "Default": 3,
    "MinValue": 1,
    "MaxValue": 20_000,
    "Description": "How often.",
}
INTERFACE = {
    "AWS::CloudFormation::Interface": {"ParameterGroups": [{"Label": {"default": "Tries"}, "Parameters": ["Most"]}]}
}


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| `")]


def test_the_page_is_what_make_docs_writes(tmp_path: Path) -> None:
    main(tmp_path / "settings.md")
    written = (tmp_path / "settings.md").read_text(encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == written, "docs/settings.md differs from template.yaml: make docs"


def test_every_parameter_has_one_row_with_its_description() -> None:
    template = read_template(TEMPLATE)
    told = rows(page(template))
    assert len(told) == len(template["Parameters"])
    for name, rules in template["Parameters"].items():
        (row,) = [each for each in told if each.startswith(f"| `{name}` |")]
        assert row.endswith(f"| {' '.join(rules['Description'].split())} |")


def test_every_group_of_the_template_is_a_heading_in_its_order() -> None:
    template = read_template(TEMPLATE)
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    headings = [line.removeprefix("## ") for line in page(template).splitlines() if line.startswith("## ")]
    assert headings == [group["Label"]["default"] for group in groups]


@pytest.mark.parametrize(
    ("rules", "cells"),
    [
        (NUMBER, "`3` | 1 to 20,000 | How often."),
        ({"Type": "Number", "Default": 0}, "`0` | a number | "),
        ({"Type": "String", "Default": "", "AllowedValues": ["", "a"]}, "empty | empty, `a` | "),
        ({"Type": "String", "ConstraintDescription": "must be a|b"}, r"none; it must be given | a\|b | "),
        ({"Type": "String", "Default": "x", "Description": "Two\nlines."}, "`x` | any text | Two lines."),
    ],
)
def test_a_row_tells_default_bounds_and_meaning(rules: dict[str, Any], cells: str) -> None:
    assert rows(page({"Parameters": {"Most": rules}})) == [f"| `Most` | {cells} |"]


def test_a_parameter_of_no_group_comes_last_under_a_heading_of_its_own() -> None:
    text = page({"Metadata": INTERFACE, "Parameters": {"Stray": NUMBER, "Most": NUMBER}})
    assert text.index("## Tries") < text.index("`Most`") < text.index("## Other settings") < text.index("`Stray`")


def test_a_template_that_names_no_group_has_one_table() -> None:
    text = page({"Parameters": {"One": NUMBER, "Two": NUMBER}})
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## All settings"]
    assert len(rows(text)) == 2
