"""The rooms and their order, read from the code itself: who imports whom, who touches AWS, how long things are."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

import batch_client

ROOT = Path(__file__).resolve().parents[2]
CORE, CLIENT, FUNCTIONS = ROOT / "layers/core/batchyard", ROOT / "layers/client/batch_client", ROOT / "functions"
FRONT = ROOT / "layers/client/batchyard_client"
ROOMS = {"functions": FUNCTIONS, "batchyard": CORE, "batch_client": CLIENT, "batchyard_client": FRONT}
MODULES = sorted(chain.from_iterable(room.rglob("*.py") for room in ROOMS.values()))
HANDLERS = sorted(FUNCTIONS.glob("*/handler.py"))
STANDARD = sys.stdlib_module_names
# What a room may import beside the standard library and itself.
ALLOWED = {
    "functions": {"batchyard", "msgspec", "aws_lambda_powertools"},
    "batchyard": {
        "batch_client",
        "jsonschema_rs",
        "msgspec",
        "aws_lambda_powertools",
        "boto3",
        "botocore",
        "mypy_boto3_*",
        "python_multipart",
        "requests",
        "requests_hardened",
        "standardwebhooks",
        "urllib3",
    },
    "batch_client": {"requests", "urllib3", "msgspec"},
    "batchyard_client": {"batch_client", "click", "msgspec", "pyarrow", "rich"},
}
WEB = {"requests", "requests_hardened", "urllib3"}
AWS = {"boto3", "botocore", "mypy_boto3_*"}
VAGUE = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc", "shared"}
TABLE = ROOT / "docs/architecture.md"
ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \| ([^|]*)\|$", re.MULTILINE)
NAME = re.compile(r"`(\w+)`")
# What a room may import beyond those the table names for it.
WITH_ALL_BELOW = "with what these may import"
# Rooms that are whole: every module of theirs is for all rooms above. The others name theirs in their docstring.
OPEN = {"domain", "adapters", "lines", "services", "settings", "observability"}
FACE = re.compile(r"^Other rooms import: ([\w, ]+)\.$", re.MULTILINE)
# The domain does no input and no output, and asks no clock.
IMPURE = {"boto3", "botocore", "requests", "urllib3", "time", "random", "socket", "logging", "aws_lambda_powertools"}
LONGEST_MODULE, LONGEST_FUNCTION, LONGEST_HANDLER, MOST_MODULES = 250, 40, 40, 22
LONGEST_DOCSTRING = 60  # words, but for a module's


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
    assert [path for path in who_import(WEB) if room_of(path) != "batch_client"] == [
        CORE / "adapters/webhook_sender.py"
    ]


def test_nothing_that_is_deployed_imports_the_front_for_people() -> None:
    assert {room_of(path) for path in who_import({"batchyard_client"})} <= {"batchyard_client"}


def test_only_the_tables_know_pyarrow_and_only_the_screen_knows_rich() -> None:
    assert set(who_import({"rich"})) == {FRONT / "screen.py"}
    assert all(path.is_relative_to(FRONT / "tables") for path in who_import({"pyarrow"}))


def test_the_environment_is_read_in_one_place() -> None:
    reads = {"environ", "environb", "getenv"}
    assert [
        path
        for path in MODULES
        if reads & (attribute_names(tree(path)) | {name.rsplit(".", 1)[-1] for name in imported(path)})
    ] == [FRONT / "settings.py", CORE / "settings.py"]


def place(module: str) -> str:
    """Name the room of a module of the core, as `batchyard.shards.poll` is of shards."""
    return module.split(".")[1] if "." in module else ""


def ours(path: Path, *, types: bool = True) -> set[str]:
    return {name for name in imported(path, types=types) if top(name) == "batchyard"}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(CORE.parent).with_suffix("").parts).removesuffix(".__init__")


ROOMS_OF_CORE = {path.name for path in CORE.iterdir() if path.is_dir() and path.name != "__pycache__"}


@cache
def below() -> dict[str, set[str]]:
    """Read the table: which rooms each room of the core may import."""
    section = TABLE.read_text(encoding="utf-8").partition("| room | may import |")[2].partition("\n\n")[0]
    allowed: dict[str, set[str]] = {}
    for rooms, told in ROW.findall(section):
        named = set(NAME.findall(told)) - {"batch_client"}
        beneath = set(chain.from_iterable(allowed[room] for room in named)) if WITH_ALL_BELOW in told else set()
        allowed |= dict.fromkeys(NAME.findall(rooms), named | beneath)
    return allowed


def test_the_table_of_rooms_names_every_room_and_no_other() -> None:
    roots = {path.stem for path in CORE.glob("*.py")} - {"__init__"}
    assert ROOMS_OF_CORE | roots | {"functions"} == set(below())
    assert below()["recovery"] >= {"results", "shards", "planning", "lines", "adapters", "services", "domain"}
    assert below()["domain"] == {"costs"}
    assert not below()["costs"]


def test_a_room_imports_what_the_table_allows() -> None:
    wrong = {
        name_of(path): sorted({place(name) for name in ours(path, types=False)} - below()[room] - {room, "__version__"})
        for path in CORE.rglob("*.py")
        if (room := place(module_of(path)))
    }
    assert {path: rooms for path, rooms in wrong.items() if rooms} == {}


def face(room: str) -> set[str]:
    """Read which modules of a room others may import."""
    found = FACE.search(ast.get_docstring(tree(CORE / room / "__init__.py")) or "")
    return set(found[1].split(", ")) if found else set()


@pytest.mark.parametrize("room", sorted(ROOMS_OF_CORE - OPEN))
def test_other_rooms_import_the_modules_that_a_room_shows_and_all_of_these(room: str) -> None:
    users = [path for path in CORE.rglob("*.py") if place(module_of(path)) != room] + HANDLERS
    used = {part[2] for path in users for name in ours(path) if len(part := name.split(".")) > 2 and part[1] == room}
    assert used == face(room)


@pytest.mark.parametrize("path", sorted((CORE / "domain").glob("*.py")), ids=name_of)
def test_the_domain_does_no_input_or_output(path: Path) -> None:
    assert not {top(name) for name in imported(path, types=False)} & IMPURE


def test_imports_of_the_core_make_no_circle() -> None:
    modules = {module_of(path): path for path in CORE.rglob("*.py")}
    left = {name: set(loaded(path, set(modules))) - {name} for name, path in modules.items()}
    for _ in range(len(modules)):
        free = {module for module, found in left.items() if not found & left.keys()}
        left = {module: found for module, found in left.items() if module not in free}
    assert not left


def loaded(path: Path, modules: set[str]) -> Iterator[str]:
    """Yield the modules of ours that an import loads: what is imported may be a module, or a name in one."""
    for name in ours(path, types=False):
        yield name if name in modules else name.rpartition(".")[0]


def test_keys_of_the_table_stand_in_the_stores_alone() -> None:
    keys = {"pk", "sk", "gsi1pk", "gsi1sk"}
    found = {
        name_of(path)
        for path in CORE.rglob("*.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and node.value in keys
    }
    assert {path for path in found if "/adapters/stores/" not in path} == set()


def test_json_is_written_where_no_number_can_be_none() -> None:
    dumping = {name_of(path) for path in CORE.rglob("*.py") if "json.dumps(" in path.read_text(encoding="utf-8")}
    assert {path.rpartition("/")[2] for path in dumping} == {"nesting.py"}  # msgspec writes null for NaN, as this does


def test_no_room_has_too_many_modules() -> None:
    folders = {
        **{room: CORE / room for room in ROOMS_OF_CORE},
        "stores": CORE / "adapters/stores",
        "front": FRONT,
        "command": FRONT / "command",
        "tables": FRONT / "tables",
    }
    sizes = {room: len([*folder.glob("*.py")]) - 1 for room, folder in folders.items()}
    assert {room: size for room, size in sizes.items() if size > MOST_MODULES} == {}


def test_only_what_the_client_shows_is_imported() -> None:
    shown = {f"batch_client.{name}" for name in batch_client.__all__}
    users = [*CORE.rglob("*.py"), *FRONT.rglob("*.py")]
    used = {name for path in users for name in imported(path) if top(name) == "batch_client"}
    assert used <= shown


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


def test_a_docstring_is_short() -> None:
    sizes = {
        (name_of(path), node.name): len((ast.get_docstring(node) or "").split())
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert {name: size for name, size in sizes.items() if size > LONGEST_DOCSTRING} == {}


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
SEVERAL = {"api", "deliver", "fail", "gather", "sweep"}
# What doors need beside their operation: the services of the process, the logger, and the shapes of events.
BESIDE = {"services", "observability", "domain"}


@each_handler
def test_a_handler_plays_the_operation_of_its_own_name(path: Path) -> None:
    door = path.parent.name
    used = {".".join(name.split(".")[1:3]) for name in ours(path) if place(name) not in BESIDE}
    if door == "api":
        assert used == {"api.app"}
    else:
        (operation,) = CORE.glob(f"*/{door}.py")
        assert used == {f"{operation.parent.name}.{door}"}


@each_handler
def test_a_handler_makes_one_call(path: Path) -> None:
    door = path.parent.name
    calls = [
        ast.unparse(node.func)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and any(ast.unparse(each).startswith("services.current()") for each in node.args)
    ]
    assert len(calls) == 1 or door in SEVERAL, calls
    assert len(calls) == len(set(calls))


def test_a_route_makes_one_call() -> None:
    for node in chain.from_iterable(
        tree(CORE / f"api/{name}.py").body for name in ("routes", "schedule_routes", "own_routes")
    ):
        if (
            isinstance(node, ast.FunctionDef) and node.name != "health"
        ):  # which says that nothing but the API itself works
            calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
            assert sum("services.current()" in map(ast.unparse, call.args) for call in calls) == 1, node.name


@each_handler
def test_a_handler_lies_beside_its_operation_and_nothing_else(path: Path) -> None:
    assert [each.name for each in path.parent.iterdir() if each.name != "__pycache__"] == ["handler.py"]
