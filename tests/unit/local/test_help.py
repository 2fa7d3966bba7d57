import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from local import ROOT
from local.engine.__main__ import WRAPPERS
from local.engine.mends import MENDS
from local.help import text
from local.stack.deploy import TEMPLATE, read_template


def test_every_parameter_of_the_template_is_told_with_its_default() -> None:
    told = " ".join(text().split())
    for name, rules in read_template(TEMPLATE)["Parameters"].items():
        if name == "ProviderBaseUrl":
            continue
        assert f"{' '.join(rules['Description'].split())} Default: {str(rules['Default']) or 'empty'}" in told


def test_the_secret_of_the_providers_webhooks_is_told_though_it_is_no_parameter() -> None:
    assert "BATCHYARD_PROVIDER_WEBHOOK_SECRET=…" in text().split()


def test_the_provider_is_told_under_its_usual_names() -> None:
    assert {"PROVIDER_BASE_URL=…", "PROVIDER_API_KEY=…"} <= set(text().split())


def test_every_explained_target_of_the_makefile_is_told() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    told = text()
    assert targets
    assert all(f"make {target}\n" in told for target in targets)


def test_what_the_emulator_changes_is_told() -> None:
    told = " ".join(text().split())
    assert "Default: 30 (1 with the emulator, 5 with your own provider)" in told


def test_where_nothing_is_set_up_the_commands_are_told_by_the_standard_library_alone(tmp_path: Path) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "layers/client").mkdir(parents=True)
    needed = (
        "Makefile",
        "requirements.lock",
        "layers/client/pyproject.toml",
        "local/bootstrap.py",
        "local/commands.py",
    )
    for name in needed:
        shutil.copy(ROOT / name, tmp_path / name)
    python = f"PYTHON={sys.executable} -S"
    told = subprocess.run(["make", "-s", "help", python], cwd=tmp_path, capture_output=True, text=True, check=True)  # noqa: S603, S607
    assert "  make run\n      one batch, end to end, on this machine\n" in told.stdout
    assert "make setup" in told.stdout
    assert told.stderr == ""
    assert not (tmp_path / ".venv").exists()


def test_a_reader_who_wants_only_the_beginning_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    told = subprocess.run(
        [sys.executable, "-m", "local.commands"], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (told.returncode, told.stderr) == (0, b"")


def test_the_page_of_the_local_stack_names_every_mend_and_wrapper_of_the_engine() -> None:
    named = set(re.findall(r"^\| `(\w+)` \| ", (ROOT / "docs/local.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert MENDS.keys() | WRAPPERS.keys() <= named
