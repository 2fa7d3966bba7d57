import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local.errors import BuildError
from local.stack import artifacts
from local.stack.artifacts import zip_function, zip_layer


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(artifacts, "CACHE", tmp_path / "cache")
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "door"
    (source / "__pycache__").mkdir(parents=True)
    (source / "__pycache__" / "old.pyc").write_bytes(b"stale")
    (source / "handler.py").write_text("ANSWER = 42\n")
    return source


def test_a_function_is_zipped_with_byte_code_and_without_old_byte_code(folder: Path, scratch: Path) -> None:
    with zipfile.ZipFile(zip_function(folder, scratch)) as archive:
        assert archive.namelist() == [f"__pycache__/handler.{sys.implementation.cache_tag}.pyc", "handler.py"]


def test_the_byte_code_is_used_wherever_and_whenever_it_is_unpacked(
    folder: Path, scratch: Path, tmp_path: Path
) -> None:
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(zip_function(folder, scratch)) as archive:
        archive.extractall(unpacked)
    (unpacked / "handler.py").write_text("ANSWER = 'compiled again'\n")
    code = f"import sys; sys.path.insert(0, {str(unpacked)!r}); import handler; print(handler.ANSWER)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    assert answer.stdout.strip() == "42"


def test_equal_content_is_built_once_and_to_equal_bytes(folder: Path, scratch: Path) -> None:
    first = zip_function(folder, scratch)
    content, made = first.read_bytes(), first.stat().st_ino
    assert zip_function(folder, scratch).stat().st_ino == made
    first.unlink()
    assert zip_function(folder, scratch).read_bytes() == content


def test_other_content_is_another_zip(folder: Path, scratch: Path) -> None:
    before = zip_function(folder, scratch)
    (folder / "handler.py").write_text("ANSWER = 43\n")
    assert zip_function(folder, scratch) != before


def test_only_the_latest_zips_are_kept(folder: Path, scratch: Path) -> None:
    for number in range(9):
        (folder / "handler.py").write_text(f"ANSWER = {number}\n")
        latest = zip_function(folder, scratch)
    kept = list(artifacts.CACHE.glob("function-*.zip"))
    assert len(kept) == 5
    assert latest in kept


def test_nothing_half_made_is_left(folder: Path, scratch: Path) -> None:
    zip_function(folder, scratch)
    assert list(scratch.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(scratch: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="nowhere"):
        zip_function(tmp_path / "nowhere", scratch)


def test_a_layer_is_what_its_makefile_lays_out_for_this_interpreter(tmp_path: Path, scratch: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    rule = 'build-OneLayer:\n\t@mkdir -p "$(ARTIFACTS_DIR)/python"\n'
    rule += '\t@echo "$(PYTHON)|$(LAYER_PLATFORM)|" > "$(ARTIFACTS_DIR)/python/made"\n'
    (layer / "Makefile").write_text(rule)
    with zipfile.ZipFile(zip_layer(layer, "OneLayer", scratch)) as archive:
        assert archive.read("python/made").decode() == f"{sys.executable}||\n"


def test_a_layer_that_cannot_be_built_is_named_with_makes_own_words(tmp_path: Path, scratch: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "Makefile").write_text("build-OneLayer:\n\t@echo the wheel is missing >&2; exit 1\n")
    with pytest.raises(BuildError, match=r"(?s)OneLayer.*the wheel is missing"):
        zip_layer(layer, "OneLayer", scratch)
    assert list(scratch.iterdir()) == []
