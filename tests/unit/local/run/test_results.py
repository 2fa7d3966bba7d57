from pathlib import Path

import pytest

from local.run.results import name_earlier_results, result_paths


@pytest.fixture
def out(tmp_path: Path) -> Path:
    for path in result_paths(tmp_path)[:2]:
        path.write_text("from before")
    return tmp_path


def test_results_that_a_failing_run_leaves_are_told(out: Path) -> None:
    told: list[str] = []
    with pytest.raises(KeyError), name_earlier_results(out, told.append):
        raise KeyError
    assert told == [f"What is in {out} is from an earlier run: output.jsonl, errors.jsonl."]


def test_results_that_were_replaced_or_removed_are_not_told(out: Path) -> None:
    told: list[str] = []
    with name_earlier_results(out, told.append):
        (out / "new").write_text("from before")
        (out / "new").replace(out / "output.jsonl")
        (out / "errors.jsonl").unlink()
    assert told == []
