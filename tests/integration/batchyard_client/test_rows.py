"""Answers stand beside the rows that were sent, or beside none."""

import shutil
from pathlib import Path

import pytest

import batchyard_client as by
from batchyard_client.__main__ import main
from tests.fakes.front_door import Books

pytestmark = pytest.mark.usefixtures("_here")
PROMPT = ("--model", "m", "--prompt", "Say {text}")
SENT, SWAPPED = "id,text\n1,a\n2,b\n", "id,text\n2,b\n1,a\n"


def sent(books: Books, text: str = SENT) -> str:
    Path("c.csv").write_text(text)
    assert main(["submit", "c.csv", *PROMPT, "--quiet"]) == 0
    return books.paid[0]


def test_a_table_that_changed_since_it_was_sent_gets_no_answers(
    books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    batch_id = sent(books)
    Path("c.csv").write_text(SWAPPED)
    assert main(["fetch", batch_id, "--out", "x.csv"]) == 2
    assert "it has changed since" in capsys.readouterr().err
    assert not Path("x.csv").exists()
    with pytest.raises(by.UsageFault, match="changed since"):
        by.job(batch_id).results()
    assert main(["fetch", batch_id, "--out", "alone/", "--quiet"]) == 0
    Path("c.csv").write_text(SENT)
    assert main(["fetch", batch_id, "--out", "x.csv", "--quiet"]) == 0


def test_a_table_that_changes_while_its_answers_are_read_is_refused(books: Books) -> None:
    answers = by.job(sent(books)).results()
    assert [answer.text for answer in answers] == ["answer to row-1", "answer to row-2"]
    Path("c.csv").write_text(SWAPPED)
    with pytest.raises(Exception, match="has changed since it was first read"):
        list(answers)


def test_rows_that_a_program_names_must_be_those_that_were_sent() -> None:
    rows = [{"a": "x"}, {"a": "y"}]
    job = by.submit(rows, model="m", prompt="Say {a}")
    assert [answer.row for answer in by.job(job.id, rows, prompt="Say {a}").results()] == rows
    for others, prompt in (([{"a": "other"}, {"a": "y"}], "Say {a}"), (rows, "j {a}"), (rows[::-1], "Say {a}")):
        with pytest.raises(by.UsageFault, match="changed since"):
            by.job(job.id, others, prompt=prompt).results()
    rows.reverse()
    with pytest.raises(by.UsageFault, match="changed since"):
        job.results()


@pytest.mark.parametrize("pack", ["--pack", "--no-pack"])
def test_another_machine_compares_with_what_was_sent(
    pack: str, books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.csv").write_text(SENT)
    assert main(["submit", "c.csv", *PROMPT, pack, "--quiet"]) == 0
    shutil.rmtree("home")
    fetch = ["fetch", books.paid[0], "--input", "c.csv", *PROMPT, "--out", "x.csv"]
    assert main([*fetch, "--quiet"]) == 0
    Path("c.csv").write_text(SWAPPED)
    assert main(fetch) == 2
    assert "it has changed since" in capsys.readouterr().err
    books.contents.pop("file-0")
    books.files.clear()
    assert main(fetch) == 2
    assert "the service has its input no more" in " ".join(capsys.readouterr().err.split())


def test_the_page_of_a_report_shows_no_requests_of_another_input(books: Books) -> None:
    batch_id = sent(books)
    Path("c.csv").write_text(SWAPPED.replace("b", "another text"))
    assert main(["report", batch_id, "--html", "--out", "page.html", "--quiet"]) == 0
    text = Path("page.html").read_text()
    assert "answer to row-2" in text
    assert "another text" not in text
