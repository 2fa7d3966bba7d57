"""The folders of the files of a gathered batch: each within its place, and no two of them one."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard_client.command.file_folders import Names, is_free

HOSTILE = (
    "..", ".", "../up", "../../etc/passwd", "/etc/passwd", "a/../../up", "a//b", "a/", "/", "", " ", "a ", "a.", "~1", "~/.ssh",
    ".hidden", "a/.hidden", "C:\\Windows", "C:", "a\\..\\b", "con", "NUL.txt", "lpt1", "a\0b", "a\nb", "a\x1b[2J", "a\u202eb",
    "a/output.jsonl", "a/ERRORS.JSONL/b", "x" * 300, "é" * 150, "\ud800", "a:stream", "a|b", "?", "*",
)  # fmt: skip
PLAIN = ("tickets-17.jsonl", "sub/tickets 18.jsonl", "2026/11/30/a.jsonl", "Grüße.jsonl", "output.jsonl", "a..b", "-rf")


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert Names().of(name, 7) == name


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_name_that_might_lead_elsewhere_gives_way_to_one_of_its_number(name: str) -> None:
    found = Names().of(name, 7)
    assert found.startswith("~7")
    assert found.isascii()
    assert len(found) < 50
    assert not set(found) & set('/\\.:<>"|?*\0\n ')


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.jsonl", "A.JSONL"), ("é", "e\u0301"), ("\u017f", "s"), ("\u0131", "I"), ("straße", "STRASSE"), ("a/b", "A/B"),
        ("a", "a"), ("ﬁ", "fi"), ("K", "\u212a"),
    ],
)  # fmt: skip
def test_names_that_some_system_takes_for_one_have_two_folders(first: str, second: str) -> None:
    names = Names()
    assert [names.of(first, 1), names.of(second, 2)[:2]] == [first, "~2"]


@given(
    st.lists(st.text(alphabet=st.characters() | st.sampled_from("./\\~aA \0é"), max_size=40) | st.sampled_from(HOSTILE))
)
def test_no_name_leads_out_of_the_folder_or_to_that_of_another_file(files: list[str]) -> None:
    names, root = Names(), os.path.abspath("/root/files")  # noqa: PTH100 - of a path as the system reads it
    found = [names.of(file, number) for number, file in enumerate(files, 1)]
    places = [os.path.normpath(f"{root}/{name}") for name in found]
    assert all(place.startswith(f"{root}/") for place in places)
    assert len({place.casefold() for place in places}) == len(files)
    results = {f"{place}/{result}".casefold() for place in places for result in ("output.jsonl", "errors.jsonl")}
    assert not {place.casefold() for place in places} & results  # where one is a folder, and the other a file


def test_a_folder_is_free_for_the_batch_whose_files_it_holds(tmp_path: Path) -> None:
    assert is_free(tmp_path, "batch_1")
    (tmp_path / "files").mkdir()
    assert is_free(tmp_path, "batch_1")
    (tmp_path / "files/mine.txt").write_text("x")
    assert not is_free(tmp_path, "batch_1")
    (tmp_path / ".files.jsonl.part").write_text('{"batch_id":"batch_1","folder":"files/a"}\n')  # of a command that died
    assert is_free(tmp_path, "batch_1")
    assert not is_free(tmp_path, "batch_2")
    (tmp_path / "files.jsonl").write_text('{"batch_id":"batch_2","folder":"files/a"}\n')
    assert is_free(tmp_path, "batch_2")
