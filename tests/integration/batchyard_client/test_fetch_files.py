"""`batchyard fetch --files` before the API itself, whose services are of memory: one folder for each gathered file."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from batchyard import services
from batchyard.api import api_keys
from batchyard.gathering.fire import fire
from batchyard_client.__main__ import main
from batchyard_client.command import file_folders
from tests.fakes.gathered import NAME, bucket_of, failing, lines_of, put
from tests.fakes.world import World, memory_world
from tests.unit.functions.gateway import call

FILES = {
    "a.jsonl": lines_of("a", 3), "A.jsonl": lines_of("A", 2), "sub/b.jsonl": lines_of("b", 2), "c.csv": b"x,y\n1,2\n",
    "../../up.jsonl": lines_of("up", 1), "/etc/passwd": lines_of("root", 1), "a.jsonl/output.jsonl": lines_of("within", 1),
    "line\u202eend": lines_of("end", 1), "x" * 400: lines_of("long", 1),
}  # fmt: skip


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    """Serve the API on loopback, over a world whose gather folder has files."""
    world = memory_world(max_attempts=1, max_requests_per_shard=5)
    world.provider.endings = [failing("a 1", "long 0")] * 9
    put(world, FILES)
    monkeypatch.setattr(services, "current", lambda: world.services)

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            headers = {name.lower().replace("-", "_"): value for name, value in self.headers.items()}
            answer = call(self.command, url.path, None, query=url.query, **headers)
            self.send_response(answer.status)
            for name, value in {**answer.headers, "content-length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("BATCHYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BATCHYARD_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("BATCHYARD_KEY", api_keys.create(world.services.api_key_store, "default"))
    monkeypatch.chdir(tmp_path)
    yield world
    server.shutdown()
    server.server_close()


def gathered(world: World) -> str:
    batch = fire(world.services, "default", NAME, "first", {"on_invalid": "skip"})
    assert batch is not None
    assert world.run(batch.batch_id) == "done"
    return batch.batch_id


def test_each_file_has_a_folder_with_its_own_results_whatever_its_name(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(file_folders, "PAGE", 4)
    batch_id = gathered(world)
    for _ in range(2):  # the same command again writes the same
        assert main(["fetch", batch_id, "--files", "--out", "found/"]) == 1, capsys.readouterr().err
    said = capsys.readouterr().err
    assert "The results of 9 files are in found/files, and found/files.jsonl lists them." in said
    assert "Set aside, as they hold no requests: 1." in said
    listed = [json.loads(line) for line in (tmp_path / "found/files.jsonl").read_text().splitlines()]
    assert {each["file"] for each in listed} == FILES.keys()
    for each in listed:
        for name in ("output", "errors"):
            whole = bucket_of(world).stored[f"results/default/{batch_id}/files/{each['file']}/{name}.jsonl"]
            assert (tmp_path / "found" / each["folder"] / f"{name}.jsonl").read_bytes() == whole
            assert each[name]["bytes"] == len(whole)
    folders = {each["file"]: each["folder"] for each in listed}
    assert [folders[name] for name in ("A.jsonl", "sub/b.jsonl", "c.csv")] == [
        "files/A.jsonl",
        "files/sub/b.jsonl",
        "files/c.csv",
    ]
    assert re.fullmatch(r"files/~\d-a_jsonl", folders["a.jsonl"])  # which some systems take for A.jsonl
    assert all(
        folder.startswith("files/~") for name, folder in folders.items() if name.startswith(("..", "/", "x", "line"))
    )
    made = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert made == {"found", "home"}
    assert not list(tmp_path.rglob("*.part"))


def test_json_tells_what_came_and_a_batch_of_unusable_files_is_fetched_like_any_other(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in FILES:
        put(world, {name: b"x,y\n1,2\n"})
    batch_id = gathered(world)
    assert main(["fetch", batch_id, "--files", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["batch_id"], told["rows"], told["out"]) == (batch_id, 0, f"{batch_id}-results/")
    assert (tmp_path / f"{batch_id}-results/files/A.jsonl/output.jsonl").read_bytes() == b""


def test_results_that_are_not_those_of_the_files_are_never_passed_off(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch_id = gathered(world)
    stored, place = bucket_of(world).stored, f"results/default/{batch_id}/files.jsonl"
    stored[place] = re.sub(rb'("output":\{"bytes":[1-9]\d*,"checksum":"CRC32:).', rb"\1?", stored[place], count=1)
    assert main(["fetch", batch_id, "--files", "--out", "found/"]) == 4
    assert "are not what the service says of them" in capsys.readouterr().err
    assert not (tmp_path / "found/files.jsonl").exists()


def test_what_cannot_be_is_refused_before_anything_is_fetched(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch_id, single = gathered(world), world.drop(lines_of("s", 1))
    world.run(single)
    assert main(["fetch", batch_id, "--files", "--out", "all.jsonl"]) == 2
    assert main(["fetch", single, "--files", "--out", "found/"]) == 3
    assert "is of one input" in capsys.readouterr().err
    (tmp_path / "mine/files").mkdir(parents=True)
    (tmp_path / "mine/files/notes.txt").write_text("kept")
    assert main(["fetch", batch_id, "--files", "--out", "mine/"]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*.jsonl")] == []
