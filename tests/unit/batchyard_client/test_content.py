import gzip
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchyard_client import spool
from batchyard_client.content import Content
from batchyard_client.errors import UsageFault
from batchyard_client.home import Home
from batchyard_client.job_record import JobRecord, JobRecords, key_of, stem_of
from batchyard_client.packing import faster

LINE = b'{"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {}}\n'


def nothing(_: int) -> None:
    """Pass bytes that nobody counts."""


def old(path: Path) -> Path:
    """Make a file look settled."""
    then = time.time() - 60
    os.utime(path, (then, then))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


class Rows:
    """Make lines, and count how often."""

    def __init__(self, count: int = 3) -> None:
        self.count, self.made = count, 0

    def __call__(self) -> Iterator[bytes]:
        self.made += 1
        for number in range(self.count):
            yield json.dumps({"custom_id": f"row-{number}", "url": "/v1/x", "body": {}}).encode() + b"\n"


def test_a_file_of_requests_is_sent_as_it_is(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(LINE * 3)
    content = Content(home, path, None, [])
    found = content.digest(nothing, pack=False)
    assert (found.lines, found.endpoint, found.size) == (3, "/v1/embeddings", 3 * len(LINE))
    assert content.body(found, nothing, pack=False) == path


def test_a_packed_body_unpacks_to_the_file(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(LINE * 200_000)  # several members of gzip
    content = Content(home, path, None, [])
    body = content.body(content.digest(nothing, pack=True), nothing, pack=True)
    assert body.suffix == ".gz"
    assert body.stat().st_size < path.stat().st_size / 5
    assert gzip.decompress(body.read_bytes()) == path.read_bytes()


def test_a_table_is_read_once_for_digest_and_body_and_not_again_while_it_stays(home: Home, tmp_path: Path) -> None:
    path, rows = tmp_path / "in.csv", Rows()
    path.write_text("a")
    old(path)
    content = Content(home, path, rows, ["recipe"])
    found = content.digest(nothing, pack=False)
    assert content.body(found, nothing, pack=False).read_bytes() == b"".join(Rows()())
    assert Content(home, path, rows, ["recipe"]).digest(nothing, pack=False) == found
    assert rows.made == 1
    Content(home, path, rows, ["another"]).digest(nothing, pack=False)
    path.write_text("bb")
    Content(home, path, rows, ["recipe"]).digest(nothing, pack=False)
    assert rows.made == 3


def test_a_file_that_may_have_changed_unseen_is_read_again(home: Home, tmp_path: Path) -> None:
    path, rows = tmp_path / "in.csv", Rows()
    path.write_text("a")  # this very moment
    for _ in range(2):
        Content(home, path, rows, []).digest(nothing, pack=False)
    assert rows.made == 2


def test_a_body_that_is_gone_is_made_again_unless_the_input_has_changed(home: Home) -> None:
    rows = Rows()
    content = Content(home, None, rows, [])
    found = content.digest(nothing, pack=True)
    content.forget_body(found)
    assert list((home.root / "spool").iterdir()) == []
    assert content.body(found, nothing, pack=True).exists()
    content.forget_body(found)
    rows.count = 4
    with pytest.raises(UsageFault, match="changed while it was read"):
        content.body(found, nothing, pack=True)


@pytest.mark.parametrize("text", ["", "\n", '{"a": 1}\n', "no json"])
def test_what_is_no_request_is_told_before_anything_is_sent(home: Home, tmp_path: Path, text: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(text)
    with pytest.raises(UsageFault):
        Content(home, path, None, []).digest(nothing, pack=False)


def test_a_table_without_rows_is_told(home: Home) -> None:
    with pytest.raises(UsageFault, match="no rows"):
        Content(home, None, Rows(0), []).digest(nothing, pack=False)


def test_lines_are_gathered_and_none_is_lost() -> None:
    lines = [bytes([65 + number]) * number for number in range(1, 20)]
    assert b"".join(spool.gathered(lines, 25)) == b"".join(lines)
    assert max(map(len, spool.gathered(lines, 25))) < 25 + 20


def test_packing_pays_on_a_slow_line_and_not_on_a_fast_one() -> None:
    assert faster(sent=4.0, packed=0.1, ratio=0.2)
    assert not faster(sent=0.02, packed=0.1, ratio=0.2)
    assert not faster(sent=4.0, packed=0.1, ratio=1.0)


def test_content_options_and_service_make_the_key_and_a_nonce_another() -> None:
    stems = {stem_of(url, digest, options) for url in "ab" for digest in "ab" for options in ({}, {"max_cost_usd": 1})}
    assert len(stems) == 8
    assert stem_of("a", "a", {"x": 1, "y": 2}) == stem_of("a", "a", {"y": 2, "x": 1})
    assert len({key_of("a", ""), key_of("a", "1"), key_of("a", "2")}) == 3


def test_a_record_is_found_by_content_and_by_batch_and_a_torn_one_is_told(home: Home) -> None:
    records = JobRecords(home)
    record = JobRecord(stem="s", key="k", base_url="u")
    records.keep(record)
    assert records.of_content("s") == record
    assert records.of_batch("batch_1") is None
    records.keep_batch(JobRecord(stem="s", key="k", base_url="u", batch_id="../../batch"))
    found = records.of_batch("../../batch")
    assert found is not None
    assert found.batch_id == "../../batch"
    assert {path.parent.name for path in home.root.rglob("*.json")} == {"jobs", "batches"}
    home.write("jobs/s.json", b"{")
    with pytest.raises(UsageFault, match=r"s\.json cannot be read"):
        records.of_content("s")
