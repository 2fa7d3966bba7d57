"""The command as people type it, before a front door that fails to order."""

import asyncio
import csv
import gzip
import json
import stat
from pathlib import Path
from typing import Any

import pytest

import batchyard_client as by
from batchyard_client import tables
from batchyard_client.__main__ import main
from batchyard_client.errors import FrontError
from tests.fakes.front_door import KEY, Books

pytestmark = pytest.mark.usefixtures("_here")
ROWS = 7


def requests(path: str = "in.jsonl", rows: int = ROWS, size: int = 10) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * size}]}
    with Path(path).open("w") as file:
        for number in range(rows):
            row = {"custom_id": f"r{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
            file.write(json.dumps(row) + "\n")
    return path


def table(path: str = "in.csv", rows: int = ROWS) -> str:
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([number, f"text {number}"] for number in range(rows))
    return path


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


PROMPT = ("--model", "m", "--prompt", "Say {text}")


def test_a_table_in_is_a_table_with_answers_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", table(), *PROMPT]) == 0
    with Path("in.answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["text"], row["answer"]) for row in rows] == [
        (str(number), f"text {number}", f"answer to row-{number + 1}") for number in range(ROWS)
    ]
    assert float(rows[0]["cost_usd"]) == pytest.approx(5 * 0.05 / 50 + 10 * 0.2 / 100)
    told = capsys.readouterr()
    assert told.out == ""
    assert "Estimate: 7 requests" in told.err
    assert told.err.splitlines()[-1] == "7 of 7 rows are answered: in.answers.csv. $0.2500 spent."


def unpacked(data: bytes) -> bytes:
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


NUMBERS = (
    b'"a":-0,"b":0.10,"c":1e400,"d":1.0,"e":123456789012345678901234567890,"f":0.1234567890123456789,"g":[-0.0,1E5]'
)


def test_numbers_of_a_body_arrive_as_they_stand_and_a_later_fetch_knows_them(books: Books) -> None:
    Path("body.json").write_bytes(
        b'{"model": "m", "messages": [{"role": "user", "content": "{text}"}], ' + NUMBERS + b"}"
    )
    assert main(["run", table(), "--body", "body.json", "--quiet"]) == 0
    sent = [data for data in map(unpacked, books.contents.values()) if b'"method"' in data]
    assert sent
    assert all(NUMBERS in line for data in sent for line in data.splitlines())
    (batch,) = books.paid
    assert main(["fetch", batch, "--out", "again.csv", "--quiet"]) == 0, "the record has the same recipe"
    assert Path("again.csv").read_bytes() == Path("in.answers.csv").read_bytes()


def test_requests_in_are_three_files_or_one_in_the_order_of_the_input(books: Books) -> None:
    books.failing = {"r2", "r5"}
    assert main(["run", requests(), "--out", "found/"]) == 1
    assert sorted(path.name for path in Path("found").iterdir()) == ["errors.jsonl", "output.jsonl", "report.json"]
    assert [line["custom_id"] for line in lines("found/errors.jsonl")] == ["r2", "r5"]
    assert main(["run", "in.jsonl", "--out", "all.jsonl"]) == 1
    assert [line["custom_id"] for line in lines("all.jsonl")] == [f"r{number}" for number in range(ROWS)]
    assert len(books.paid) == 1


def test_a_file_of_requests_may_have_any_urls_and_a_table_has_one(books: Books) -> None:
    mixed = [json.loads(line) for line in Path(requests()).read_text().splitlines()]
    mixed[1] |= {"url": "/model/amazon.nova-lite-v1%3A0/converse"}
    Path("mixed.jsonl").write_text("".join(json.dumps(each) + "\n" for each in mixed))
    for source in (["mixed.jsonl"], [table(), *PROMPT]):
        assert main(["run", *source, "--quiet"]) == 0
    asked = [(batch["dry_run"], batch["endpoint"]) for batch in books.batches.values()]
    assert asked == [(dry, url) for url in ("*", "/v1/chat/completions") for dry in (True, False)]


def test_machines_read_one_object(capsys: pytest.CaptureFixture[str], books: Books) -> None:
    books.failing = {"row-2"}
    assert main(["run", table(), *PROMPT, "--json", "--out", "a.csv"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told == {"batch_id": books.paid[0], "status": "completed", "rows": 7, "succeeded": 6, "failed": 1, "retryable": 1,
                    "skipped": 0, "unfit": 0, "bad": 0,
                    "causes": {"context_length_exceeded": 1}, "cause": "too long",
                    "usd": 0.25, "usage": None, "out": "a.csv"}  # fmt: skip


def test_quiet_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", table(), *PROMPT, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["run", "none.csv", *PROMPT], 2, "There is no file none.csv."),
        (["run", "in.csv"], 2, "is a table: say how a row becomes a request"),
        (["run", "in.csv", "--model", "m", "--prompt", "{nothing}"], 2, "nothing"),
        (["run", "bad.jsonl"], 2, "The first line of bad.jsonl is no request"),
        (["run", "in.csv", *PROMPT, "--out", "in.csv"], 2, "is the input itself"),
        (["run", "in.csv", *PROMPT, "--accept", "{"], 2, "--accept is no JSON"),
        (["run", "in.csv", *PROMPT, "--schema", "none.json"], 2, "--schema none.json cannot be read"),
        (["run", "in.csv", *PROMPT, "--schema", "list.json"], 2, "--schema list.json is no JSON object"),
        (["run", "in.csv", *PROMPT, "--body", "list.json"], 2, "--body list.json is no JSON object"),
        (
            ["run", "in.csv", *PROMPT, "--body", "long.json"],
            2,
            "--body long.json has an integer of more than 4,300 digits.",
        ),
        (["run", "in.csv", *PROMPT, "--accept", "[1]"], 2, "--accept is no JSON object"),
        (["run", "in.csv", *PROMPT, "--metadata", "a"], 2, "--metadata takes NAME=VALUE"),
        (["run", "in.csv", *PROMPT, "--wrong"], 2, "No such option"),
        (["run", "in.csv", *PROMPT, "--key", "by_wrong"], 3, "does not take the key"),
        (["run", "in.csv", *PROMPT, "--url", "http://example.com/v1"], 2, "must begin with https://"),
        (["status", "batch_none"], 3, "No batch found"),
        (["resume"], 2, "Missing argument"),
    ],
)
def test_a_fault_is_a_sentence_with_the_status_of_its_kind(
    arguments: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str], books: Books
) -> None:
    table()
    Path("list.json").write_text("[1]\n")
    Path("long.json").write_text(f'{{"a": [{"1" * 4_301}]}}\n')
    Path("bad.jsonl").write_text('{"text": "a"}\n')
    assert main(arguments) == status
    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err
    assert KEY not in told.err
    assert not books.paid


def test_a_service_that_cannot_be_reached_stops_the_command_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--url", "http://127.0.0.1:9/v1"]) == 4
    assert "No whole answer from 127.0.0.1:9" in capsys.readouterr().err


def test_a_login_is_kept_for_its_address_alone_and_only_the_user_can_read_it(
    tmp_path: Path, books: Books, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{books.address}/v1"
    monkeypatch.delenv("BATCHYARD_URL")
    monkeypatch.delenv("BATCHYARD_KEY")
    assert main(["list"]) == 2
    assert main(["login", "--url", url, "--key", "by_wrong"]) == 3
    assert main(["login", "--url", url, "--key", KEY]) == 0
    assert stat.S_IMODE((tmp_path / "home/login.json").stat().st_mode) == 0o600
    assert main(["list"]) == 0
    assert main(["list", "--url", "https://example.com/v1"]) == 2
    told = capsys.readouterr()
    assert "There is no key for https://example.com/v1" in told.err
    assert KEY not in told.err + told.out


def test_links_that_expire_are_asked_for_anew(books: Books) -> None:
    def watch(when: str, name: str) -> None:
        if when == "after" and name.startswith("PUT") and len(books.parts) == 1:
            books.links += 1  # an hour passes

    books.watch = watch
    assert main(["submit", requests(size=30_000, rows=1_000), "--quiet"]) == 0
    assert sorted(number for _, number in books.parts) == [1, 2, 3, 4]
    assert len(books.paid) == 1


def test_a_connection_that_drops_is_waited_for_and_told_once(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    def watch(when: str, name: str) -> None:
        if when == "after" and name.startswith("PUT") and len(books.parts) == 1:
            books.hang_ups = 5

    books.watch = watch
    assert main(["submit", requests(size=30_000, rows=1_000)]) == 0
    assert sorted(number for _, number in books.parts) == [1, 2, 3, 4]
    assert capsys.readouterr().err.count("Trying again …") in (1, 2)
    assert len(books.paid) == 1


def test_a_download_that_breaks_off_goes_on_where_it_was(books: Books) -> None:
    assert main(["submit", requests(), "--quiet"]) == 0
    books.cut = 100
    assert main(["fetch", books.paid[0], "--out", "found/", "--quiet"]) == 0
    assert books.ranges == ["", "bytes=100-", ""]  # output, its rest, and errors
    assert [line["custom_id"] for line in lines("found/output.jsonl")] == [f"r{number}" for number in range(ROWS)]


def test_a_download_that_an_earlier_command_began_goes_on(books: Books) -> None:
    assert main(["submit", requests(), "--quiet"]) == 0
    assert main(["watch", books.paid[0]]) == 0
    whole = books.contents[books.batches[books.paid[0]]["output_file_id"]]
    Path("found").mkdir()
    Path(f"found/.output.jsonl.{books.paid[0][-12:]}.part").write_bytes(whole[:50])
    assert main(["fetch", books.paid[0], "--out", "found/", "--quiet"]) == 0
    assert books.ranges[0] == "bytes=50-"
    assert Path("found/output.jsonl").read_bytes() == whole


def test_results_that_are_not_what_the_report_says_are_fetched_again_and_never_passed_off(
    books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", requests(), "--quiet"]) == 0
    assert main(["watch", books.paid[0]]) == 0
    output = books.batches[books.paid[0]]["output_file_id"]
    books.contents[output] = books.contents[output].replace(b"answer", b"ANSWER")
    assert main(["fetch", books.paid[0], "--out", "found/", "--quiet"]) == 4
    assert "is not what the report says, twice" in capsys.readouterr().err
    assert books.ranges == ["", ""]
    assert not Path("found/output.jsonl").exists()


def test_an_estimate_sends_nothing_and_the_run_after_it_uploads_nothing(
    books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["estimate", table(), *PROMPT, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["estimated_usd"] == 0.5
    assert not books.paid
    assert main(["run", "in.csv", *PROMPT]) == 0
    assert len(books.contents) == 3  # the input, output and errors
    assert len(books.paid) == 1


def test_a_batch_that_the_service_knows_no_more_is_sent_again(books: Books) -> None:
    assert main(["submit", requests(), "--quiet"]) == 0
    for known in (books.batches, books.keys, books.files, books.contents):
        known.clear()
    assert main(["run", "in.jsonl", "--quiet"]) == 0
    assert len(books.batches) == 2  # the estimate and the batch


def test_a_report_is_json_or_one_page_with_requests_beside_their_answers(
    books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", table(), *PROMPT, "--quiet"]) == 0
    capsys.readouterr()
    assert main(["report", books.paid[0], "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["output"]["lines"] == ROWS
    assert main(["report", books.paid[0], "--html", "--out", "page.html"]) == 0
    text = Path("page.html").read_text()
    assert "Say text 3" in text
    assert "answer to row-4" in text
    assert "http-equiv" in text
    capsys.readouterr()
    assert main(["report", books.paid[0], "--json"]) == 0
    out = capsys.readouterr().out
    assert (out.count("\n"), json.loads(out)["output"]["lines"]) == (1, ROWS)
    assert main(["report", books.paid[0], "--html", "--json", "--out", "page.html"]) == 0
    assert json.loads(capsys.readouterr().out) == {"batch_id": books.paid[0], "out": "page.html"}


def test_a_report_reads_a_sample_and_no_results(books: Books) -> None:
    books.failing = {"row-3333", "row-4000"}
    assert main(["submit", table(rows=5_000), *PROMPT, "--quiet"]) == 0
    asked: list[str] = []
    books.watch = lambda when, name: asked.append(name) if when == "after" else None
    assert main(["report", books.paid[0], "--quiet"]) == 0
    assert main(["report", books.paid[0], "--html", "--out", "page.html", "--quiet"]) == 0
    assert books.ranges == []
    assert sum(name.endswith("/lines") for name in asked) <= 15
    text = Path("page.html").read_text()
    for words in ("Say text 3332", "too long", "Say text 4500", "200 of 5,000 lines"):
        assert words in text


def test_a_report_of_an_old_batch_reads_the_beginnings_of_its_results(books: Books) -> None:
    books.failing = {"row-2"}
    assert main(["submit", table(), *PROMPT, "--quiet"]) == 0
    books.lines_kept = False
    assert main(["report", books.paid[0], "--html", "--out", "page.html", "--quiet"]) == 0
    text = Path("page.html").read_text()
    assert "answer to row-7" in text
    assert "The request is not at hand." in text


def test_a_file_that_has_expired_before_its_batch_was_made_is_sent_again(books: Books) -> None:
    assert main(["estimate", requests(), "--quiet"]) == 0
    books.files.clear()
    assert main(["run", "in.jsonl", "--quiet"]) == 0
    assert len(books.paid) == 1


def test_an_input_that_changes_while_it_is_sent_becomes_no_batch(
    books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    requests()

    def watch(when: str, name: str) -> None:
        if when == "before" and name == "POST /v1/files":
            requests(rows=ROWS + 1)

    books.watch = watch
    assert main(["run", "in.jsonl"]) == 2
    assert "The input changed while it was sent" in capsys.readouterr().err
    assert not books.paid
    books.watch = lambda _when, _name: None
    assert main(["run", "in.jsonl", "--quiet"]) == 0
    assert len(books.paid) == 1


def test_a_batch_that_failed_says_why_and_how_to_make_another(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", requests(), "--quiet"]) == 0
    books.batches[books.paid[0]] |= {
        "status": "failed", "errors": {"data": [{"line": 3, "message": "no url", "code": "missing"}]}
    }  # fmt: skip
    assert main(["run", "in.jsonl"]) == 3
    assert "line 3: no url (missing) With --new" in capsys.readouterr().err
    assert main(["run", "in.jsonl", "--new", "--quiet"]) == 0
    assert len(books.paid) == 2


def test_a_patient_upload_of_a_table_is_packed_where_that_is_asked(books: Books) -> None:
    assert main(["run", table(), *PROMPT, "--pack", "--quiet"]) == 0
    assert books.contents["file-0"].startswith(b"\x1f\x8b")


def test_the_python_call_gives_each_row_its_answer(books: Books) -> None:
    books.failing = {"row-2"}
    rows = [{"id": number, "text": f"text {number}"} for number in range(3)]
    answers = by.run(rows, model="m", prompt="Say {text}")
    assert len(answers) == 3
    for _ in range(2):
        assert [answer.row for answer in answers] == rows
    good, bad, _ = answers
    assert (good.text, good.error, good.finish_reason) == ("answer to row-1", None, "stop")
    assert good.usage == {"prompt_tokens": 5, "completion_tokens": 10}
    assert good.cost == pytest.approx(0.025)
    assert bad.text is None
    assert str(bad.error) == "too long (context_length_exceeded)"
    assert answers.usd == 0.25
    assert by.run(rows, model="m", prompt="Say {text}").failed == 1
    assert len(books.paid) == 1


def test_a_row_that_was_not_asked_has_its_place_among_the_answers() -> None:
    rows = [{"text": text} for text in (None, "a", None, "b", None)]
    answers = [*by.run(rows, model="m", prompt="Say {text}", nulls="skip")]
    assert [(answer.row, answer.text, answer.error and answer.error.code) for answer in answers] == [
        (rows[0], None, "skipped"), (rows[1], "answer to row-2", None), (rows[2], None, "skipped"),
        (rows[3], "answer to row-4", None), (rows[4], None, "skipped"),
    ]  # fmt: skip
    assert str(answers[2].error) == "Row 3 was not asked, because its column 'text' is null. (skipped)"


def test_a_handle_is_taken_up_by_its_id_and_knows_its_rows() -> None:
    made = by.submit(table(), model="m", prompt="Say {text}")
    again = by.job(made.id)
    assert again.watch().status == "completed"
    assert [answer.row["id"] for answer in again.results() if answer.row] == [str(number) for number in range(ROWS)]
    assert again.fetch("b.csv").all_good


async def awaited() -> list[str | None]:
    job = by.submit(requests())
    return [answer.text for answer in await job]


def test_a_handle_can_be_awaited() -> None:
    assert asyncio.run(awaited()) == [f"answer to r{number}" for number in range(ROWS)]


def test_a_misspelt_option_of_the_call_is_an_error_and_nothing_is_sent(books: Books) -> None:
    with pytest.raises(TypeError, match="max_cost"):
        by.run([{"a": 1}], prompt="{a}", max_cost=1)  # type: ignore[call-arg] # the misspelt one
    assert not books.contents


@pytest.mark.parametrize(
    ("source", "asked", "error"),
    [
        ([{"text": "a"}], {"prompt": "{nothing}"}, tables.MissingColumn),
        ([{"text": None}], {"prompt": "{text}"}, tables.NullCell),
        ([{"text": "a"}], {"prompt": "the same for all"}, tables.RecipeError),
        ([{"text": "a", "image": "none.png"}], {"prompt": "{text}", "image_column": "image"}, tables.CellError),
        ("in.parquet", {"prompt": "{text}"}, tables.UnreadableTable),
    ],
)
def test_each_error_of_a_call_is_one_of_the_front(
    source: Any, asked: dict[str, str], error: type[Exception], books: Books
) -> None:
    Path("in.parquet").write_bytes(b"no parquet")
    with pytest.raises(FrontError) as told:
        by.run(source, model="m", **asked)  # type: ignore[arg-type] # by their names
    assert type(told.value) is error
    assert by.FrontError is FrontError
    assert told.value.status == 2
    assert not books.paid


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
RETRY = "To send what failed again"


@pytest.mark.parametrize(
    ("arguments", "counts", "words"),
    [
        ([], (5, 1, 1, 0, 0), ["4 of 5 rows are answered, 1 failed", f"{RETRY}: batchyard retry batch_"]),
        (["--nulls", "skip"], (6, 2, 1, 1, 0), [f"{RETRY} (1 row): batchyard retry", "1 row not asked"]),
        (
            ["--schema", "s.json"],
            (5, 5, 1, 0, 4),
            [f"{RETRY} (1 row)", "4 rows with an answer that is not what was asked for"],
        ),
    ],
)
def test_of_each_row_without_a_good_answer_it_is_said_what_can_be_done(
    arguments: list[str], counts: tuple[int, ...], words: list[str], books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("s.json").write_text(json.dumps(SCHEMA))
    Path("in.csv").write_text("id,text\n1,a\n2,b\n3,c\n4,d\n5,e\n" + ("6,\n" if "skip" in arguments else ""))
    books.failing = {"row-2"}
    assert main(["run", "in.csv", *PROMPT, *arguments]) == 1
    said = capsys.readouterr().err
    assert [each for each in words if each not in said] == []
    assert main(["run", "in.csv", *PROMPT, *arguments, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert tuple(told[name] for name in ("rows", "failed", "retryable", "skipped", "unfit")) == counts


def test_a_batch_goes_to_the_provider_that_is_named_and_another_name_makes_another_batch(books: Books) -> None:
    for _ in range(2):
        assert main(["run", table(), *PROMPT, "--provider", "claude", "--out", "a.csv"]) == 0
    assert main(["submit", "in.csv", *PROMPT, "--provider", "groq"]) == 0
    by.submit("in.csv", model="m", prompt="Say {text}", provider="third")
    assert [books.batches[each]["provider"] for each in books.paid] == ["claude", "groq", "third"]
    assert all(each["provider"] for each in books.batches.values())  # the estimates, too


def test_what_was_used_is_told_by_provider_with_small_sums_and_what_has_no_price(
    books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    used = {"lines": 2, "usage": {"input_tokens": 1_000, "output_tokens": 20}}
    dollars = {"input_usd": 0.00001, "cached_usd": 0.0, "output_usd": 0.000008}
    unpriced = {**dollars, "usd": None, "unpriced_tokens": 1}
    books.used = {"claude": {**used, "cost": {**dollars, "usd": 0.000018}}, "total": {**used, "cost": unpriced}}
    assert main(["usage", "--by", "provider"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0][0] == "provider"
    assert rows[1:] == [
        ["claude", "2", "1,000", "20", "0.000018"],
        ["total", "2", "1,000", "20", "0.000018", "+", "1", "unpriced", "token"],
    ]


def test_why_rows_failed_is_told(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    books.failing, books.held_back = {"row-1", "row-2", "row-3"}, {"row-2", "row-3"}
    assert main(["run", table(), *PROMPT]) == 1
    told = (
        "Failed: 2 budget_exceeded, 1 context_length_exceeded. The first of these: The budget of this month is spent."
    )
    assert told in capsys.readouterr().err.splitlines()
