import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from local.stack.deploy import TEMPLATE, read_template
from local.stack.parameters import parameters
from local.stack.settings import ADDRESS_OF_CHAT, SECRET_OF_WEBHOOKS
from tests.unit.docs.pages import DOCS, PAGES, README, ROOT, code, name_of

OF_A_READER = {"BATCHYARD_URL", "BATCHYARD_KEY", "BATCHYARD_HOME"}  # variables of the examples, no settings
NAME = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+")
NAMING_OTHERS = {
    "architecture",
    "compatibility",
    "decisions",
    "glossary",
    "testing",
    "traps",
}  # they name classes of others, too
each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@cache
def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@cache
def words_of_the_project() -> set[str]:
    sources = [*ROOT.glob("layers/**/*.py"), *ROOT.glob("functions/*.json"), ROOT / "template.yaml"]
    return {word for path in sources for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}


def exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its package is there
        return False


@each_page
def test_every_make_command_of_a_page_exists(page: Path) -> None:
    assert set(re.findall(r"\bmake ([a-z-]+)", code(page))) <= targets()


@each_page
def test_every_module_that_a_page_runs_exists(page: Path) -> None:
    run = set(re.findall(r"python3? -m ([\w.]+)", code(page)))
    assert [module for module in run if not exists(module)] == []


@each_page
def test_every_variable_that_a_page_sets_is_a_setting(page: Path) -> None:
    named = set(re.findall(r"\bBATCHYARD_[A-Z_]+", code(page))) - OF_A_READER
    assert named <= parameters(read_template(TEMPLATE)).keys() | {SECRET_OF_WEBHOOKS.variable, ADDRESS_OF_CHAT.variable}


@pytest.mark.parametrize("page", [README, *(page for page in DOCS if page.stem not in NAMING_OTHERS)], ids=name_of)
def test_every_setting_metric_and_output_that_a_page_names_exists(page: Path) -> None:
    named = {span for span in re.findall(r"`([^`\n]+)`", code(page)) if NAME.fullmatch(span)}
    assert named <= words_of_the_project(), named - words_of_the_project()


def test_operators_are_told_of_every_alarm_and_output() -> None:
    template = read_template(TEMPLATE)
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.+?`) \|", text, re.MULTILINE)
    told = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    alarms = {name for name, each in template["Resources"].items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    assert told == alarms | template["Outputs"].keys()
