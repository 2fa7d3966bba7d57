"""A stack that is up can be found, by the user who started it alone, for as long as it is up."""

import stat
from pathlib import Path

import pytest

from local.stack.door import find_doors, open_doors
from local.stack.run_folder import living_runs, run_folder

ADDRESSES = {"base_url": "http://127.0.0.1:1/v1", "api_key": "by_1"}


def test_a_stack_is_found_while_it_is_up_and_no_longer(tmp_path: Path) -> None:
    with run_folder(tmp_path) as folder:
        assert living_runs(tmp_path) == [folder]
        assert find_doors(tmp_path) == []
        with open_doors(folder, ADDRESSES):
            assert find_doors(tmp_path) == [ADDRESSES]
        assert find_doors(tmp_path) == []
    assert living_runs(tmp_path) == []


def test_the_owner_alone_can_read_the_key(tmp_path: Path) -> None:
    (tmp_path / "doors.json").touch(0o644)  # what was there before lends its mode to nothing
    with open_doors(tmp_path, ADDRESSES):
        assert stat.S_IMODE((tmp_path / "doors.json").stat().st_mode) == 0o600


def test_the_key_is_gone_when_the_stack_ends_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), open_doors(tmp_path, ADDRESSES):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_is_not_found(tmp_path: Path) -> None:
    dead = tmp_path / "20260101T000000-1"
    dead.mkdir()
    (dead / "doors.json").write_text("{}")
    (dead / "lock").touch()
    assert find_doors(tmp_path) == []


def test_where_nothing_ever_ran_nothing_is_found(tmp_path: Path) -> None:
    assert find_doors(tmp_path / "runs") == []
