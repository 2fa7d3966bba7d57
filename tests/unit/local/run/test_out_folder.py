"""OUT after one run and after several, on a true disk."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.run.out_folder import name_earlier_results, settled
from local.run.results import fetch_results
from local.stack.running import Stack

WHOLE = {"output.jsonl": "answers", "errors.jsonl": "", "report.json": "{}"}


class S3:
    """A bucket with the results of one batch."""

    def __init__(self, batch_id: str, files: Mapping[str, str]) -> None:
        self._files = {f"results/default/{batch_id}/{name}": text for name, text in files.items()}

    def list_objects_v2(self, **_: str) -> dict[str, Any]:
        return {"Contents": [{"Key": key, "Size": len(text)} for key, text in self._files.items()]}

    def download_file(self, _: str, key: str, path: str) -> None:
        Path(path).write_text(self._files[key], encoding="utf-8")


def run(out: Path, batch_id: str, files: Mapping[str, str], told: list[str] | None = None) -> list[str]:
    """Put the results of a batch into `out`, and return their paths relative to `out`."""
    clients: Any = SimpleNamespace(s3=S3(batch_id, files))
    stack = Stack(clients, {"BucketName": "b"}, "http://provider", (), out)
    said = told if told is not None else list[str]()
    return [str(path.relative_to(out)) for path in fetch_results(stack, batch_id, out, said.append).paths]


def content(out: Path) -> dict[str, str]:
    """Return what a reader finds by the names of the results."""
    return {name: (out / name).read_text() for name in WHOLE if (out / name).exists()}


def test_the_results_lie_in_a_folder_of_their_batch_and_show_in_out(tmp_path: Path) -> None:
    assert run(tmp_path, "batch_1", WHOLE) == [f"batch_1/{name}" for name in WHOLE]
    assert content(tmp_path) == content(tmp_path / "batch_1") == WHOLE
    assert (tmp_path / "latest").readlink() == Path("batch_1")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".lock", "batch_1", "latest", *WHOLE])


def test_a_batch_without_results_touches_no_file_of_an_earlier_one(tmp_path: Path) -> None:
    run(tmp_path, "batch_1", WHOLE)
    assert run(tmp_path, "batch_2", {"report.json": "refused"}) == ["batch_2/report.json"]
    assert content(tmp_path) == WHOLE
    assert run(tmp_path, "batch_3", {}) == []
    assert content(tmp_path) == WHOLE
    assert not (tmp_path / "batch_3").exists()


def test_a_refusal_shows_where_nothing_else_does_and_makes_room_for_results(tmp_path: Path) -> None:
    told: list[str] = []
    for batch_id, report in (("batch_1", "refused"), ("batch_2", "refused, too")):
        with name_earlier_results(tmp_path, told.append):
            assert run(tmp_path, batch_id, {"report.json": report}) == [f"{batch_id}/report.json"]
        assert content(tmp_path) == {"report.json": report}
    run(tmp_path, "batch_3", WHOLE)
    assert content(tmp_path) == WHOLE
    assert told == []


def test_a_later_batch_shows_all_its_files_and_no_other_and_the_earlier_ones_stay(tmp_path: Path) -> None:
    run(tmp_path, "batch_1", WHOLE)
    run(tmp_path, "batch_2", {"errors.jsonl": "", "report.json": "{}"})
    assert content(tmp_path) == {"errors.jsonl": "", "report.json": "{}"}
    assert not os.path.lexists(tmp_path / "output.jsonl")
    assert content(tmp_path / "batch_1") == WHOLE


def test_the_results_of_one_batch_that_come_twice_stand_side_by_side(tmp_path: Path) -> None:
    run(tmp_path, "batch_1", WHOLE)
    run(tmp_path, "batch_1", {"output.jsonl": "again"})
    assert content(tmp_path / "batch_1") == WHOLE
    assert content(tmp_path) == content(tmp_path / "batch_1-2") == {"output.jsonl": "again"}


def test_a_file_that_was_put_there_during_the_run_stays_and_the_results_are_told(tmp_path: Path) -> None:
    (tmp_path / "output.jsonl").write_text("mine")
    told: list[str] = []
    assert run(tmp_path, "batch_1", WHOLE, told)[0] == "batch_1/output.jsonl"
    assert (tmp_path / "output.jsonl").read_text() == "mine"
    assert told == [
        f"{tmp_path / 'output.jsonl'} is not from a run and stays as it is; the results are in {tmp_path / 'batch_1'}."
    ]


def test_a_disk_without_links_holds_the_results_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    told: list[str] = []
    assert run(tmp_path, "batch_1", WHOLE, told)[0] == "batch_1/output.jsonl"
    assert "takes no links (Operation not permitted)" in told[0]


def test_what_still_shows_an_earlier_batch_after_a_run_is_told(tmp_path: Path) -> None:
    run(tmp_path, "batch_1", WHOLE)
    told: list[str] = []
    with pytest.raises(KeyError), name_earlier_results(tmp_path, told.append):
        raise KeyError
    assert told == [f"What {tmp_path / 'latest'} shows is from an earlier run, batch_1."]


def test_nothing_is_told_where_nothing_was_or_the_run_has_results(tmp_path: Path) -> None:
    told: list[str] = []
    for batch_id in ("batch_1", "batch_2"):
        with name_earlier_results(tmp_path, told.append):
            run(tmp_path, batch_id, WHOLE)
    assert told == []


def test_an_input_among_the_results_stays_the_same_file_though_another_run_ends(tmp_path: Path) -> None:
    run(tmp_path, "batch_1", WHOLE)
    source = settled(tmp_path / "output.jsonl")
    run(tmp_path, "batch_2", {"output.jsonl": "others"})
    assert source.read_text() == "answers"
    assert settled(Path("mine.jsonl")) == Path("mine.jsonl")
