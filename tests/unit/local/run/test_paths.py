from pathlib import Path

import pytest

from local.errors import UsageError
from local.run.paths import SAMPLE, check_paths, choose_paths
from local.stack.provider_choice import Provider


def test_a_file_and_a_folder_yet_to_be_made_are_fine(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("{}\n")
    check_paths(source, tmp_path / "new" / "out")
    assert (tmp_path / "new" / "out").is_dir()


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no file .*in\.jsonl"):
        check_paths(tmp_path / "in.jsonl", tmp_path / "out")


def test_a_folder_is_no_input(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a file"):
        check_paths(tmp_path, tmp_path / "out")


def test_a_file_cannot_hold_the_results(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("{}\n")
    with pytest.raises(UsageError, match="OUT must be a folder"):
        check_paths(source, source)


@pytest.mark.parametrize("name", ["output.jsonl", "errors.jsonl", "report.json"])
def test_an_input_that_the_results_would_overwrite_is_refused(tmp_path: Path, name: str) -> None:
    source, link = tmp_path / name, tmp_path / "elsewhere" / "link"
    source.write_text("{}\n")
    link.parent.mkdir()
    link.symlink_to(source)
    for given in (source, link, link.parent / ".." / name):
        with pytest.raises(UsageError, match="would overwrite the input"):
            check_paths(given, tmp_path)


@pytest.mark.parametrize("name", ["output.jsonl", "errors.jsonl", "report.json", "latest"])
def test_what_no_run_has_put_in_the_place_of_a_result_is_told_before_the_run(tmp_path: Path, name: str) -> None:
    source, place = tmp_path / "in.jsonl", tmp_path / "out" / name
    source.write_text("{}\n")
    place.mkdir(parents=True)
    with pytest.raises(UsageError, match=r"is a folder that no run has put there.* make run OUT="):
        check_paths(source, tmp_path / "out")
    place.rmdir()
    place.write_text("mine")
    with pytest.raises(UsageError, match="is a file that no run has put there"):
        check_paths(source, tmp_path / "out")
    place.unlink()
    place.symlink_to(source)
    with pytest.raises(UsageError, match=r"that no run has put there|overwrite the input"):
        check_paths(source, tmp_path / "out")


def test_what_a_run_has_left_is_fine_and_may_be_the_input(tmp_path: Path) -> None:
    (tmp_path / "batch_1").mkdir()
    (tmp_path / "batch_1" / "output.jsonl").write_text("{}\n")
    (tmp_path / "latest").symlink_to("batch_1")
    (tmp_path / "output.jsonl").symlink_to("latest/output.jsonl")
    check_paths(tmp_path / "output.jsonl", tmp_path)


OWN = Provider("http://127.0.0.1:1/v1", "sk-1")


def test_the_sample_is_taken_where_nothing_is_named() -> None:
    assert choose_paths(None, "out", None, {"INPUTRC": "x", "PATH": ""}) == (Path(SAMPLE), Path("out"))


def test_the_sample_goes_to_a_provider_of_ones_own_only_by_its_name() -> None:
    with pytest.raises(UsageError, match=r"is not sent to http://127\.0\.0\.1:1/v1 unasked.* make run INPUT="):
        choose_paths(None, "out", OWN, {})
    assert choose_paths(SAMPLE, "out", OWN, {}) == (Path(SAMPLE), Path("out"))


@pytest.mark.parametrize("name", ["input", "Input", "INPTU"])
def test_a_misspelt_variable_in_the_environment_does_not_run_the_sample(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is set but INPUT is not"):
        choose_paths(None, "out", None, {name: "mine.jsonl"})
    assert choose_paths("mine.jsonl", "out", None, {name: "x"})[0] == Path("mine.jsonl")


def test_a_name_that_a_script_has_left_empty_is_told() -> None:
    with pytest.raises(UsageError, match="INPUT is empty"):
        choose_paths("", "out", None, {})
    with pytest.raises(UsageError, match="OUT is empty"):
        choose_paths("mine.jsonl", "", None, {})
