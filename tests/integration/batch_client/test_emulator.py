"""The client against the provider emulator: lost answers end with one batch, and no short file is passed off as whole."""

from collections.abc import Iterator

import pytest

from batch_client import BatchClient, CreateOutcomeUnknown, DownloadIncomplete, RetryPolicy
from tests.integration.local.emulator.running import CHAT, Emulator, chat_line, jsonl, started

LINES = [chat_line(f"a-{number}") for number in range(50)]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with started("--seconds-per-batch", "0.05") as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> BatchClient:
    return BatchClient(emulator.api_key, emulator.url, retry=RetryPolicy(floor=0.01, ceiling=0.02))


@pytest.mark.parametrize("made", [True, False], ids=["the batch was made", "it was not"])
@pytest.mark.parametrize("how", [{"connection": "reset"}, {"connection": "close"}, {"status": 502}, {"html": True}])
def test_a_lost_answer_to_a_create_ends_with_one_batch(
    emulator: Emulator, client: BatchClient, how: dict[str, object], *, made: bool
) -> None:
    file = client.create_file(jsonl(LINES), "in.jsonl")
    emulator.play(calls=[{"operation": "createBatch", "nth": 1, "do": {**how, "after_effect": made}}])
    with pytest.raises(CreateOutcomeUnknown):
        client.create_batch(input_file_id=file.id, endpoint=CHAT, metadata={"run": "7"})
    found = client.find_batch("run", "7", since=0)
    assert (found is not None) == made
    batch = found or client.create_batch(input_file_id=file.id, endpoint=CHAT, metadata={"run": "7"})
    assert [each.id for each in client.iter_batches()] == [batch.id]


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_a_cut_download_is_made_whole_or_refused(
    emulator: Emulator, client: BatchClient, framing: str, *, ranges: bool
) -> None:
    file_id = str(emulator.run(50)["output_file_id"])
    whole = emulator.call("GET", f"/files/{file_id}/content").content
    emulator.play(
        ranges=ranges,
        calls=[{"operation": "downloadFile", "nth": "1-2", "do": {"cut": {"at": 0.6, "framing": framing}}}],
    )
    assert b"".join(client.download_file(file_id)) == whole
    emulator.play(calls=[{"operation": "downloadFile", "do": {"cut": {"at": 0.6, "framing": framing}}}])
    with pytest.raises(DownloadIncomplete):
        b"".join(client.download_file(file_id))
