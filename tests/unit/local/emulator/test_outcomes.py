from pathlib import Path

import pytest

from local.emulator.outcomes import OutcomeSpool


@pytest.fixture
def lines() -> list[bytes]:
    return [f'{{"custom_id": "{n}", "filler": "{"x" * (n % 50)}"}}\n'.encode() for n in range(500)]


def shuffled(tmp_path: Path, lines: list[bytes], seed: str) -> list[bytes]:
    spool = OutcomeSpool(tmp_path / "spool")
    for line in lines:
        spool.append(line)
    spool.write_shuffled(tmp_path / "out", seed)
    spool.remove()
    return (tmp_path / "out").read_bytes().splitlines(keepends=True)


def test_every_line_is_written_once_in_another_order(tmp_path: Path, lines: list[bytes]) -> None:
    written = shuffled(tmp_path, lines, "7")
    assert written != lines
    assert sorted(written) == sorted(lines)


def test_the_order_depends_on_the_seed_alone(tmp_path: Path, lines: list[bytes]) -> None:
    assert shuffled(tmp_path, lines, "7") == shuffled(tmp_path, lines, "7") != shuffled(tmp_path, lines, "8")


def test_nothing_stays_behind(tmp_path: Path, lines: list[bytes]) -> None:
    shuffled(tmp_path, lines, "7")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
