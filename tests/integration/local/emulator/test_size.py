"""Big files pass through without staying in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.local.emulator.running import Emulator, chat_line, jsonl

MEGABYTE = 1_000_000
LINES = 10_000


def peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = [int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")]
    return peak


def form(boundary: str, lines: int) -> Iterator[bytes]:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{{}}"{{}}\r\n\r\n'
    yield (head.format("file", '; filename="big.jsonl"')).encode()
    for number in range(lines):
        yield jsonl([chat_line(f"a-{number}", user="x" * 6_000)])
    yield ("\r\n" + head.format("purpose", "") + f"batch\r\n--{boundary}--\r\n").encode()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's peak memory")
def test_sixty_megabytes_in_and_out_take_little_memory(fresh: Emulator) -> None:
    fresh.play(answer_bytes=6_000, seconds_per_batch=0)
    idle = peak_memory(fresh.process.pid)
    headers = {"content-type": "multipart/form-data; boundary=cut"}
    uploaded = fresh.call("POST", "/files", data=form("cut", LINES), headers=headers).json()
    assert uploaded["bytes"] > 60 * MEGABYTE
    batch = fresh.wait(fresh.create(uploaded["id"])["id"])
    assert batch["request_counts"]["completed"] == LINES
    with fresh.call("GET", f"/files/{batch['output_file_id']}/content", stream=True) as response:
        received = sum(len(chunk) for chunk in response.iter_content(1 << 20))
    assert received == int(response.headers["content-length"]) > 60 * MEGABYTE
    assert peak_memory(fresh.process.pid) - idle < 30 * MEGABYTE
