"""Layers that are unpacked once: by all who do so at a time, and anew where a killed run had only begun."""

import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from local.engine.layers import KEPT_LAYERS, UNUSED, mend_layer_sharing


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.setenv(KEPT_LAYERS, str(tmp_path / "kept"))
    runtime = SimpleNamespace()
    mend_layer_sharing(runtime)
    return runtime


def unpacked(runtime: SimpleNamespace, place: Path, text: str = "x = 1\n", name: str = "layer_0.zip") -> Path:
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / name, "w") as layer:
        layer.writestr("python/module.py", text)
    (place / "layer_0").mkdir()
    with runtime.zipfile.ZipFile(place / name) as layer:
        layer.extractall(place / "layer_0")
    return (place / "layer_0/python").resolve()


def test_workers_at_once_share_what_one_of_them_unpacked(runtime: SimpleNamespace, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as workers:
        places = set(workers.map(lambda at: unpacked(runtime, tmp_path / str(at)), range(16)))
    (place,) = places
    assert (place / "module.py").read_text() == "x = 1\n"
    assert [each.name for each in (tmp_path / "kept").iterdir()] == [place.parent.name]  # and nothing half unpacked


def test_another_layer_and_what_is_no_layer_have_places_of_their_own(runtime: SimpleNamespace, tmp_path: Path) -> None:
    first, other = unpacked(runtime, tmp_path / "a"), unpacked(runtime, tmp_path / "b", "x = 2\n")
    assert first != other
    assert unpacked(runtime, tmp_path / "c", name="code.zip") == tmp_path / "c/layer_0/python"


def test_what_no_worker_used_for_long_goes_with_the_next_layer(runtime: SimpleNamespace, tmp_path: Path) -> None:
    used, unused, begun = unpacked(runtime, tmp_path / "a"), unpacked(runtime, tmp_path / "b", "x = 2\n"), "part-killed"
    (tmp_path / "kept" / begun).mkdir()
    for each in (tmp_path / "kept").iterdir():
        os.utime(each, (0, time.time() - UNUSED - 60))
    unpacked(runtime, tmp_path / "c")  # the first one is in use again
    third = unpacked(runtime, tmp_path / "d", "x = 3\n")
    assert {each.name for each in (tmp_path / "kept").iterdir()} == {used.parent.name, third.parent.name}
    assert not unused.exists()
