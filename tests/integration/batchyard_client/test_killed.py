"""A command that is killed at any moment and repeated: the same upload, the same batch, and nothing is paid twice."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import batchyard_client as by
from tests.fakes.front_door import KEY, Books, front_door

LINES = 1_000
PARTS = 2  # of 8 MiB, and the rest
PRESIGN, PUT, CREATE, LOOK = "POST /v1/uploads/presign", "PUT /s3/", "POST /v1/batches", "GET /v1/batches/batch_"
#: Each is struck at once: before or after which request, and at which of these.
MOMENTS = [
    ("before", PRESIGN, 1), ("after", PRESIGN, 1), ("before", PUT, 1), ("after", PUT, 1), ("after", PUT, PARTS),
    ("after", PRESIGN, 2), ("before", CREATE, 1), ("after", CREATE, 1), ("before", CREATE, 2), ("after", CREATE, 2),
    ("after", LOOK, 1), ("after", LOOK, 4), ("after", "GET /v1/usage", 1), ("before", "GET /v1/files/", 1),
    ("after", "GET /v1/files/", 2),
]  # fmt: skip


@pytest.fixture
def books() -> Iterator[Books]:
    with front_door() as found:
        yield found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("input") / "big.jsonl"
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 12_000}]}
    with path.open("w") as file:
        for number in range(LINES):
            row = {"custom_id": f"r{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
            file.write(json.dumps(row) + "\n")
    return path


def command(books: Books, home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": "layers/client", "BATCHYARD_HOME": str(home),
        "BATCHYARD_URL": f"{books.address}/v1", "BATCHYARD_KEY": KEY,
    }  # fmt: skip
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "batchyard_client", *arguments], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, said = process.communicate(timeout=60)
    return process.returncode, out, said


class Killer:
    """Kill the command at one moment."""

    def __init__(self, books: Books, when: str, name: str, nth: int) -> None:
        self._moment, self._left = (when, name), nth
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        books.watch = self._watch

    def aim(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._ready.set()

    def _watch(self, when: str, name: str) -> None:
        with self._lock:
            self._left -= when == self._moment[0] and name.startswith(self._moment[1])
            struck, self._left = self._left == 0, self._left or -1
        if struck:
            self._ready.wait(30)
            assert self._process is not None
            self._process.kill()


@pytest.mark.parametrize(("when", "name", "nth"), MOMENTS)
def test_killed_at_any_moment_and_repeated_the_provider_is_paid_once(
    books: Books, source: Path, tmp_path: Path, when: str, name: str, nth: int
) -> None:
    run = ("run", str(source), "--out", f"{tmp_path}/out/")
    killer = Killer(books, when, name, nth)
    process = command(books, tmp_path / "home", *run)
    killer.aim(process)
    assert ended(process)[0] == -signal.SIGKILL
    books.watch = lambda _when, _name: None
    status, _, said = ended(command(books, tmp_path / "home", *run))
    assert (status, len(books.paid)) == (0, 1), said
    output = (tmp_path / "out/output.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["custom_id"] for line in output] == [f"r{number}" for number in range(LINES)]
    whole = {number for file_id, number in books.parts if file_id == books.parts[-1][0]}
    assert whole == set(range(1, PARTS + 1))
    assert len(books.parts) <= 2 * PARTS - 1  # what had arrived whole was not sent again


def test_every_part_that_has_arrived_is_not_sent_again(books: Books, source: Path, tmp_path: Path) -> None:
    arrived: list[str] = []

    def watch(when: str, name: str) -> None:
        if name.startswith("PUT") and when == "after":
            arrived.append(name)
            killer.send_signal(signal.SIGKILL)

    books.watch = watch
    killer = command(books, tmp_path / "home", "submit", str(source))
    assert ended(killer)[0] == -signal.SIGKILL
    books.watch = lambda _when, _name: None
    before = set(books.parts)
    assert before
    assert ended(command(books, tmp_path / "home", "submit", str(source)))[0] == 0
    assert len(books.parts) == PARTS
    assert len({file_id for file_id, _ in books.parts}) == 1


def test_ctrl_c_leaves_the_batch_running_and_says_how_to_go_on(books: Books, source: Path, tmp_path: Path) -> None:
    looks = iter(range(100))

    def watch(when: str, name: str) -> None:
        looked = when == "after" and name.startswith("GET /v1/batches/batch_")
        if looked and books.paid and name.endswith(books.paid[0]) and next(looks) == 0:
            process.send_signal(signal.SIGINT)

    books.watch = watch
    process = command(books, tmp_path / "home", "run", str(source), "--out", f"{tmp_path}/out/", "--new", "--key", KEY)
    status, _, said = ended(process)
    assert status == 4
    assert said.splitlines()[-2:] == [
        f"Stopped looking. {books.paid[0]} runs on without this command. To go on:",
        f"  batchyard run {source} --out {tmp_path}/out/",
    ]
    assert "Traceback" not in said
    assert KEY not in said
    assert ended(command(books, tmp_path / "home", "run", str(source), "--out", f"{tmp_path}/out/"))[0] == 0
    assert len(books.paid) == 1


def test_only_new_makes_another_batch_of_the_same_content(books: Books, source: Path, tmp_path: Path) -> None:
    for arguments, paid in (([], 1), ([], 1), (["--new"], 2), ([], 2), (["--metadata", "a=b"], 3)):
        status, out, _ = ended(command(books, tmp_path / "home", "submit", str(source), *arguments))
        assert (status, len(books.paid)) == (0, paid)
        assert out.strip() == (books.paid[-1] if arguments != [] or paid == 2 else books.paid[0])


def test_another_machine_takes_up_the_same_batch(books: Books, source: Path, tmp_path: Path) -> None:
    first = ended(command(books, tmp_path / "one", "submit", str(source)))
    second = ended(command(books, tmp_path / "two", "submit", str(source)))
    assert first[:2] == second[:2] == (0, f"{books.paid[0]}\n")
    assert len(books.paid) == 1
    assert "This content was sent before" in second[2]
    assert len(books.parts) == PARTS


def test_two_commands_at_once_make_one_batch(books: Books, source: Path, tmp_path: Path) -> None:
    both = [command(books, tmp_path / "home", "submit", str(source)) for _ in range(2)]
    assert [ended(each)[:2] for each in both] == [(0, f"{books.paid[0]}\n")] * 2
    assert len(books.paid) == 1
    assert len(books.parts) == PARTS


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("id,text\n" + "".join(f"{number},text {number}\n" for number in range(2_000)))
    return path


def meet_at_the_results(books: Books) -> None:
    """Have two commands download the same bytes at the same moment, if they can."""
    meeting = threading.Barrier(2)

    def watch(when: str, name: str) -> None:
        if when == "after" and name.startswith("GET /v1/files/") and name.endswith("/content"):
            with suppress(threading.BrokenBarrierError):
                meeting.wait(1.5)

    books.watch = watch


@pytest.mark.parametrize("ends", [("a.csv", "b.csv"), ("a.csv", "a.csv"), ("out/", "out/")])
def test_two_commands_at_once_both_bring_every_answer(
    books: Books, table: Path, tmp_path: Path, ends: tuple[str, str]
) -> None:
    meet_at_the_results(books)
    outs = [f"{tmp_path}/{end}" for end in ends]
    asked = ("run", str(table), "--model", "m", "--prompt", "Say {text}")
    both = [command(books, tmp_path / "home", *asked, "--out", out) for out in outs]
    found = [ended(each) for each in both]
    assert [status for status, _, _ in found] == [0, 0], found
    assert any("Another command fetches the results" in said for _, _, said in found)
    for out in outs:
        path = Path(out, "output.jsonl") if out.endswith("/") else Path(out)
        assert path.read_text().count("answer to row-") == 2_000
    assert len(books.paid) == 1


def test_two_batches_into_one_folder_leave_the_files_of_one(books: Books, table: Path, tmp_path: Path) -> None:
    books.failing = {"row-2"}
    meet_at_the_results(books)
    shorter = tmp_path / "shorter.csv"
    shorter.write_text("".join(table.read_text().splitlines(keepends=True)[:1_000]))
    asked = ("--model", "m", "--prompt", "{text}", "--out", f"{tmp_path}/out/")
    both = [command(books, tmp_path / "home", "run", str(each), *asked) for each in (table, shorter)]
    assert [ended(each)[0] for each in both] == [1, 1]
    report = json.loads((tmp_path / "out/report.json").read_bytes())
    for member, name in (("output", "output.jsonl"), ("errors", "errors.jsonl")):
        found = hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest()
        assert (name, found) == (name, report[member]["sha256"])


def test_a_command_leaves_alone_what_a_python_call_has_fetched(
    books: Books, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHYARD_HOME", str(tmp_path / "home"))
    job = by.submit(table, model="m", prompt="Say {text}", url=f"{books.address}/v1", key=KEY)
    answers = job.results()
    assert ended(command(books, tmp_path / "home", "fetch", job.id, "--out", f"{tmp_path}/a.csv"))[0] == 0
    assert [answer.text for answer in answers] == [f"answer to row-{number}" for number in range(1, 2_001)]
