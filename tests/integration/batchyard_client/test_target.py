"""A place that takes no results is refused before anything is paid; a disk that fills up loses none."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchyard_client.__main__ import main
from tests.fakes.front_door import Books

pytestmark = pytest.mark.usefixtures("_here")
PROMPT = ("--model", "m", "--prompt", "Say {text}")
REQUEST = '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}\n'


@contextmanager
def room(size: int) -> Iterator[None]:
    """Let no file grow above a size, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("out", ["x.xlsx", "nodir/x.csv", "/proc/x.csv", "file/x/"])
def test_a_table_that_could_not_be_written_is_not_sent(out: str, books: Books) -> None:
    Path("c.csv").write_text("id,text\n1,a\n")
    Path("file").touch()
    assert main(["run", "c.csv", *PROMPT, "--out", out]) == 2
    assert not books.contents
    assert not books.paid


@pytest.mark.parametrize("out", ["all.csv", "nodir/x.jsonl", "/proc/x.jsonl", "file/x/"])
def test_result_lines_that_could_not_be_written_are_not_asked_for(out: str, books: Books) -> None:
    Path("req.jsonl").write_text(REQUEST)
    Path("file").touch()
    assert main(["run", "req.jsonl", "--out", out]) == 2
    assert not books.contents
    assert not books.paid


def test_a_disk_that_is_full_stops_the_command_and_the_same_one_goes_on(
    books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.csv").write_text("id,text\n" + "".join(f"{'x' * 50_000},a\n" for _ in range(4)))
    command = ["run", "c.csv", *PROMPT, "--out", "x.csv"]
    with room(100_000):
        assert main(command) == 4
    told = " ".join(capsys.readouterr().err.split())
    assert "x.csv cannot be written: File too large. The answers are kept" in told
    assert not Path("x.csv").exists()
    assert main([*command, "--quiet"]) == 0
    assert len(books.paid) == 1
