"""A command that is killed at any moment and repeated: the same upload, the same batch, and nothing is paid twice."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.front_door import KEY, Books, front_door

LINES = 1_600
PARTS = 3  # of 8 MiB, but the last one
MOMENTS = 12


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
    """Count the moments before and after each request, and strike at one of them."""

    def __init__(self, books: Books, at: int | None, number: int = signal.SIGKILL) -> None:
        self.seen: list[str] = []
        self._at, self._number = at, number
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self.process: subprocess.Popen[str] | None = None
        self.status: int | None = None
        books.watch = self._watch

    def aim(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._ready.set()

    def _watch(self, when: str, name: str) -> None:
        with self._lock:
            self.seen.append(f"{when} {name}")
            mine = len(self.seen) - 1 == self._at
        if mine:
            self._ready.wait(30)
            assert self.process is not None
            self.process.send_signal(self._number)


def run_killed(books: Books, source: Path, tmp_path: Path, at: int | None, number: int = signal.SIGKILL) -> Killer:
    killer = Killer(books, at, number)
    process = command(books, tmp_path / "home", "run", str(source), "--out", f"{tmp_path}/out/", "--quiet")
    killer.aim(process)
    killer.status = ended(process)[0]
    books.watch = lambda _when, _name: None
    return killer


@pytest.fixture(scope="module")
def moments(source: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Count the moments of a run that nobody kills."""
    with front_door() as books:
        killer = run_killed(books, source, tmp_path_factory.mktemp("whole"), None)
        assert killer.status == 0
        assert len(books.paid) == 1
        assert len(books.parts) == PARTS
    return len(killer.seen)


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_at_any_moment_and_repeated_the_provider_is_paid_once(
    books: Books, source: Path, tmp_path: Path, moments: int, moment: int
) -> None:
    at = moment * (moments - 1) // (MOMENTS - 1)
    killer = run_killed(books, source, tmp_path, at)
    assert killer.status in (-signal.SIGKILL, 0)  # 0: struck after the last answer
    status, _, said = ended(command(books, tmp_path / "home", "run", str(source), "--out", f"{tmp_path}/out/"))
    assert (status, len(books.paid)) == (0, 1), (killer.seen[at], said)
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
