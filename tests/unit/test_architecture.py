"""The rooms and their order, read from the code itself: who imports whom, who touches AWS, how long things are."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE, CLIENT, FUNCTIONS = ROOT / "layers/core/batchyard", ROOT / "layers/client/batch_client", ROOT / "functions"
ROOMS = {"functions": FUNCTIONS, "batchyard": CORE, "batch_client": CLIENT}
MODULES = sorted(chain.from_iterable(room.rglob("*.py") for room in ROOMS.values()))
HANDLERS = sorted(FUNCTIONS.glob("*/handler.py"))
STANDARD = sys.stdlib_module_names
# What a room may import beside the standard library and itself.
ALLOWED = {
    "functions": {"batchyard", "msgspec", "aws_lambda_powertools"},
    "batchyard": {
        "batch_client",
        "msgspec",
        "aws_lambda_powertools",
        "boto3",
        "botocore",
        "mypy_boto3_*",
        "python_multipart",
        "requests",
        "requests_hardened",
        "standardwebhooks",
    },
    "batch_client": {"requests", "urllib3", "msgspec"},
}
WEB = {"requests", "requests_hardened"}
AWS = {"boto3", "botocore", "mypy_boto3_*"}
VAGUE = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc", "shared"}
# The rules of the domain: no adapter, no AWS, no clock, no environment, no yard.
PURE = [
    "answers", "batch", "callback_url", "capacity", "checksums", "create_request", "creations", "errors", "form",
    "handover", "keys", "kinds", "lines", "options", "outcomes", "ownership", "pacing", "policy", "scanning", "shard",
    "shard_limits", "shard_lines", "splitting", "statuses", "stored_file", "successes", "tenancy", "token_limits", "tokens",
    "webhook_delivery", "webhook_endpoint",
]  # fmt: skip
IMPURE = {"boto3", "botocore", "requests", "urllib3", "time", "random", "socket", "logging", "aws_lambda_powertools"}
LONGEST_MODULE, LONGEST_FUNCTION, LONGEST_HANDLER = 250, 40, 40


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_handler = pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str:
    return next(name for name, folder in ROOMS.items() if path.is_relative_to(folder))


def for_types_only(path: Path) -> set[int]:
    """Find the imports that only a type checker follows."""
    guards = [
        node for node in ast.walk(tree(path)) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]
    return {id(node) for guard in guards for each in guard.body for node in ast.walk(each)}


def imported(path: Path, *, types: bool = True) -> Iterator[str]:
    """Yield the full names a module imports; with `types` False without those for annotations."""
    skipped = set() if types else for_types_only(path)
    package = [room_of(path), *path.relative_to(ROOMS[room_of(path)]).parent.parts]
    for node in ast.walk(tree(path)):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{source}.{each.name}" for each in node.names)


def top(name: str) -> str:
    first = name.split(".", maxsplit=1)[0]
    return "mypy_boto3_*" if first.startswith("mypy_boto3_") else first


def attribute_names(node: ast.AST) -> set[str]:
    return {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def who_import(names: set[str]) -> list[Path]:
    return [path for path in MODULES if {top(name) for name in imported(path)} & names]


def test_every_room_and_door_was_found() -> None:
    assert len(HANDLERS) >= 9
    assert {room_of(path) for path in MODULES} == set(ROOMS)


def test_imports_point_one_way() -> None:
    def foreign(path: Path) -> set[str]:
        room = room_of(path)
        return {top(name) for name in imported(path)} - STANDARD - {room} - ALLOWED[room]

    assert {name_of(path): foreign(path) for path in MODULES if foreign(path)} == {}


def test_only_the_adapters_know_aws() -> None:
    assert [path for path in who_import(AWS) if not path.is_relative_to(CORE / "adapters")] == []


def test_only_one_adapter_of_the_core_and_the_client_call_the_web() -> None:
    assert [path for path in who_import(WEB) if room_of(path) != "batch_client"] == [CORE / "adapters/callbacks.py"]


def test_the_environment_is_read_in_one_place() -> None:
    reads = {"environ", "environb", "getenv"}
    assert [
        path
        for path in MODULES
        if reads & (attribute_names(tree(path)) | {name.rsplit(".", 1)[-1] for name in imported(path)})
    ] == [CORE / "settings.py"]


@pytest.mark.parametrize("module", PURE)
def test_a_rule_of_the_domain_does_no_input_or_output(module: str) -> None:
    names = set(imported(CORE / f"{module}.py", types=False))
    assert not {top(name) for name in names} & IMPURE
    ours = {name.removeprefix("batchyard.").split(".")[0] for name in names if top(name) == "batchyard"}
    assert ours <= {*PURE, "__version__"}, ours - set(PURE)


def test_imports_of_the_core_make_no_circle() -> None:
    uses = {
        path.stem: {
            name.split(".")[1] for name in imported(path, types=False) if top(name) == "batchyard" and "." in name
        }
        for path in CORE.glob("*.py")
    }
    uses["batchyard"] = set()
    left = {module: found & uses.keys() - {module} for module, found in uses.items()}
    for _ in range(len(uses)):
        free = {module for module, found in left.items() if not found & left.keys()}
        left = {module: found for module, found in left.items() if module not in free}
    assert not left


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path for path in MODULES if {*path.relative_to(ROOT).with_suffix("").parts} & VAGUE] == []


def test_a_module_is_short() -> None:
    sizes = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > LONGEST_MODULE} == {}


def test_a_function_is_short() -> None:
    sizes = {
        (name_of(path), node.name): (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: size for name, size in sizes.items() if size > LONGEST_FUNCTION} == {}


def test_a_public_docstring_begins_with_one_whole_sentence() -> None:
    begins = {
        (name_of(path), node.name): (ast.get_docstring(node) or ".").splitlines()[0]
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    }
    assert {name: first for name, first in begins.items() if not first.endswith((".", "!", ":", "?"))} == {}


def test_no_error_is_swallowed_without_a_reason() -> None:
    def silent(handler: ast.ExceptHandler, lines: list[str]) -> bool:
        first = handler.body[0]
        return isinstance(first, ast.Pass | ast.Continue) and "#" not in lines[first.lineno - 1]

    found = []
    for path in MODULES:
        lines = path.read_text(encoding="utf-8").splitlines()
        handlers = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ExceptHandler)]
        found += [(name_of(path), each.lineno) for each in handlers if each.type is None or silent(each, lines)]
    assert found == []


@each_handler
def test_a_handler_is_a_door(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_HANDLER
    functions = {node.name for node in tree(path).body if isinstance(node, ast.FunctionDef)}
    assert "handler" in functions
    assert not [node for node in tree(path).body if isinstance(node, ast.ClassDef)]
    assert not [node for node in ast.walk(tree(path)) if isinstance(node, ast.For | ast.While | ast.Try | ast.With)]


# The doors that stand before more than one operation: one for each route, or for each kind of event.
SEVERAL = {"api", "deliver", "fail", "sweep"}
SCAFFOLD = {"yard", "log", "shard", "front_door", "webhook_delivery"}


@each_handler
def test_a_handler_plays_the_operation_of_its_own_name(path: Path) -> None:
    door = path.parent.name
    operations = {name.split(".")[1] for name in imported(path) if top(name) == "batchyard"} - SCAFFOLD
    if door == "api":  # its operations stand behind routes, a module of them for each kind of object
        assert operations == {path.stem for path in CORE.glob("*_routes.py")}
    else:
        assert operations == {door}
        assert (CORE / f"{door}.py").exists()


@each_handler
def test_a_handler_makes_one_call(path: Path) -> None:
    door = path.parent.name
    calls = [
        ast.unparse(node.func)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and any(ast.unparse(each).startswith("yard.current()") for each in node.args)
    ]
    assert len(calls) == 1 or door in SEVERAL, calls
    assert len(calls) == len(set(calls))


@pytest.mark.parametrize("path", sorted(CORE.glob("*_routes.py")), ids=name_of)
def test_a_route_makes_one_call(path: Path) -> None:
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef):
            calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
            assert sum("yard.current()" in map(ast.unparse, call.args) for call in calls) == 1, node.name


@each_handler
def test_a_handler_lies_beside_its_operation_and_nothing_else(path: Path) -> None:
    assert [each.name for each in path.parent.iterdir() if each.name != "__pycache__"] == ["handler.py"]
