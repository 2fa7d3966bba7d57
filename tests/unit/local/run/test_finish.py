"""What becomes of paid results where OUT does not take them, with a stack and a provider of paper."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batch_client import ServerError
from local.errors import ResultsError
from local.run import provider_files
from local.run import results as module
from local.run.cancel_all import cancel_all, kept_sentence
from local.run.finish import finish
from local.run.records import Held, Progress
from local.signals import Hurry
from local.stack.running import Stack

BATCH = "batch_1"
FILES = {"output.jsonl": "answers\n", "errors.jsonl": "", "report.json": "{}"}
SHARD = {
    "sk": "SHARD#0", "shard": 0, "provider": "groq", "status": "done", "files_to_delete": ["file-in", "file-out"],
}  # fmt: skip
LAST = Progress(BATCH, "completed", total=1, completed=1, shards=1)


class World:
    """A stack with the results of one batch, a provider with its files, and two folders of which each may be full."""

    def __init__(
        self, folder: Path, status: str = "completed", *, deletes_late: bool = True, dry_run: bool = False
    ) -> None:
        self.out, self.kept = folder / "out", folder / "cache" / "results"
        self.out.mkdir()
        self.full: set[Path] = set()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.refuses: dict[str, Exception] = {}
        self.gone: set[str] = set()
        batch = {"pk": f"BATCH#{BATCH}", "sk": "BATCH", "status": status, "shards": 1, "dry_run": dry_run}
        attempts = [{"provider_batch_id": "batch_p", "ended_at": 7}]
        items = {"Items": [batch, {"pk": f"BATCH#{BATCH}", **SHARD, "attempts": attempts}]}
        table = SimpleNamespace(query=lambda **_: items, scan=lambda **given: _scan(items["Items"], **given))
        s3 = SimpleNamespace(list_objects_v2=self._list, download_file=self._download)
        clients: Any = SimpleNamespace(table=lambda _: table, s3=s3)
        only = SimpleNamespace(name="", reads_objects=False)
        self.own: Any = SimpleNamespace(url="http://provider", named=lambda _: only)
        names = {"TableName": "t", "BucketName": "b"}
        own: Any = self.own
        self.stack = Stack(clients, names, "http://provider", (), folder, own, deletes_late=deletes_late)

    def _list(self, **_: str) -> dict[str, Any]:
        return {"Contents": [{"Key": f"results/default/{BATCH}/{name}", "Size": len(FILES[name])} for name in FILES]}

    def _download(self, _: str, key: str, path: str) -> None:
        if any(place in Path(path).parents for place in self.full):
            raise OSError(errno.ENOSPC, "No space left on device")
        Path(path).write_text(FILES[key.rpartition("/")[2]], encoding="utf-8")

    @contextmanager
    def asking(self, own: Any, name: str) -> Iterator[Any]:
        assert own is self.own
        assert name == "groq"
        yield SimpleNamespace(forget=self._forget)

    def _forget(self, file_id: str) -> bool:
        assert (self.out / "output.jsonl").read_text() == "answers\n"
        self.asked.append(file_id)
        if file_id in self.refuses:
            raise self.refuses[file_id]
        return file_id not in self.gone


def _scan(items: list[dict[str, Any]], *, FilterExpression: Any, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
    name, *_values = FilterExpression.get_expression()["values"]
    return {"Items": [item for item in items if name.name != "sk" or item["sk"] == "BATCH"]}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    def make(*given: str, **members: Any) -> World:
        made = World(tmp_path, *given, **members)
        monkeypatch.setattr(module, "KEPT", made.kept)
        monkeypatch.setattr(provider_files, "asking", made.asking)
        return made

    return make


def test_the_files_at_the_provider_are_deleted_once_the_results_are_in_out(world: Callable[..., World]) -> None:
    here = world()
    assert finish(here.stack, LAST, here.out, here.said.append)
    assert sorted(here.asked) == ["file-in", "file-out"]
    assert here.said == []


def test_files_that_the_user_keeps_or_the_stack_has_deleted_are_left_alone(world: Callable[..., World]) -> None:
    here = world(deletes_late=False)
    assert finish(here.stack, LAST, here.out, here.said.append)
    assert (here.asked, here.said) == ([], [])


def test_a_file_that_is_gone_is_no_trouble_and_one_that_stays_is_told(world: Callable[..., World]) -> None:
    here = world()
    here.gone, here.refuses = {"file-in"}, {"file-out": ServerError("later", status=503)}
    assert finish(here.stack, LAST, here.out, here.said.append)
    assert here.said == ["Left at the provider: file-out."]


def test_a_person_in_a_hurry_waits_for_no_deletion(world: Callable[..., World]) -> None:
    here, hurry = world(), Hurry()
    hurry.asked = True
    assert finish(here.stack, LAST, here.out, here.said.append, hurry=hurry)
    assert (here.asked, here.said) == ([], ["Left at the provider: file-in, file-out."])


def test_what_must_stay_at_the_provider_stays(world: Callable[..., World]) -> None:
    here = world()
    assert finish(here.stack, LAST, here.out, here.said.append, spared=[Held("groq", "file-in")])
    assert (here.asked, here.said) == (["file-out"], ["Left at the provider: file-in."])


def test_results_that_do_not_fit_into_out_are_kept_and_told_with_the_command(world: Callable[..., World]) -> None:
    here = world()
    here.full = {here.out}
    assert not finish(here.stack, LAST, here.out, here.said.append)
    folder = here.kept / BATCH
    assert {path.name: path.read_text() for path in folder.iterdir()} == FILES
    command = f"cp -R {folder} {here.out}"
    why = f"The results could not be written to {here.out}: No space left on device. They are whole in {folder}."
    assert here.said == [
        f"{why} This puts them there once there is room: {command}",
        "Nothing was deleted at the provider; of the batch there are: file-in, file-out.",
    ]
    assert list(here.out.iterdir()) == []
    assert here.asked == []


def test_a_disk_that_is_too_small_is_not_filled_first(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world()
    free = {here.out: 3}
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=free.get(place, 1_000)))
    assert not finish(here.stack, LAST, here.out, here.said.append)
    assert (here.kept / BATCH / "output.jsonl").exists()


def test_results_that_fit_nowhere_are_told_with_what_is_left_at_the_provider(world: Callable[..., World]) -> None:
    here = world()
    here.full = {here.out, here.kept}
    with pytest.raises(ResultsError, match=r"Nor could they be kept .* batch there are: file-in, file-out\.$"):
        finish(here.stack, LAST, here.out, here.said.append)
    assert here.asked == []


def test_nothing_is_deleted_of_a_batch_that_failed(world: Callable[..., World]) -> None:
    here = world("failed")
    last = Progress(BATCH, "failed", total=1, shards=1)
    assert finish(here.stack, last, here.out, here.said.append)
    assert here.said == ["Nothing was deleted at the provider; of the batch there are: file-in, file-out."]
    assert here.asked == []


def test_ctrl_c_while_results_are_fetched_fetches_them_all_the_same(world: Callable[..., World]) -> None:
    here = world()
    cancel_all(here.stack, here.own, here.said.append, here.out)
    assert (here.out / "output.jsonl").read_text() == "answers\n"
    assert here.said == ["The batch has ended, and its results are fetched."]
    here.said.clear()
    cancel_all(here.stack, here.own, here.said.append, here.out)
    assert here.said == []


def test_ctrl_c_after_an_estimate_fetches_nothing(world: Callable[..., World]) -> None:
    here = world(dry_run=True)
    cancel_all(here.stack, here.own, here.said.append, here.out)
    assert (here.said, list(here.out.iterdir())) == ([], [])


def test_what_is_paid_is_named_where_the_run_could_not_go_on(world: Callable[..., World]) -> None:
    assert kept_sentence(world().stack) == (
        "What the provider has finished is in the results of batch_p. Nothing was deleted there."
    )
