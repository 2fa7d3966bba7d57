from pathlib import Path

import pytest

from local.stack.run_folder import run_folder


def test_a_run_has_a_folder_of_its_own_with_scratch_space(tmp_path: Path) -> None:
    with run_folder(tmp_path) as folder:
        assert folder.parent == tmp_path
        assert list((folder / "scratch").iterdir()) == []


def test_an_ended_run_leaves_its_logs_and_no_scratch(tmp_path: Path) -> None:
    with run_folder(tmp_path) as folder:
        (folder / "engine.log").write_text("log")
        (folder / "scratch" / "big").write_text("x")
    assert (folder / "engine.log").read_text() == "log"
    assert not (folder / "scratch").exists()


def test_a_failing_run_leaves_no_scratch_either(tmp_path: Path) -> None:
    with pytest.raises(KeyError), run_folder(tmp_path) as folder:
        raise KeyError
    assert not (folder / "scratch").exists()


def test_what_a_dead_run_left_is_removed_and_its_logs_stay(tmp_path: Path) -> None:
    dead = tmp_path / "20260101T000000-1"
    (dead / "scratch" / "worker").mkdir(parents=True)
    (dead / "engine.log").write_text("log")
    with run_folder(tmp_path):
        assert not (dead / "scratch").exists()
        assert (dead / "engine.log").exists()


def test_the_logs_of_the_latest_ten_are_kept(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"20260101T0000{number:02}-1").mkdir()
    with run_folder(tmp_path) as latest:
        kept = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert kept == [f"20260101T0000{number:02}-1" for number in range(3, 12)] + [latest.name]


def test_a_living_run_is_left_alone(tmp_path: Path) -> None:
    with run_folder(tmp_path) as living:
        for second in range(12):
            (tmp_path / f"29990101T0000{second:02}-1").mkdir()
        with run_folder(tmp_path) as other:
            assert other != living
            assert (living / "scratch").exists()
