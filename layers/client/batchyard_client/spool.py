"""Lines that are made as they are read, kept on disk until they have arrived: packed by several threads, or plain."""

import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final

CHUNK: Final = 4 * 1024 * 1024  # bytes that are packed at once, as a gzip member of their own
LEVEL: Final = 1  # more would save a tenth of the bytes, and take three times as long
GZIP: Final = 16 + zlib.MAX_WBITS  # zlib's number for gzip
WORKERS: Final = min(4, os.cpu_count() or 1)


def packed(data: bytes) -> bytes:
    """Return a gzip member; members of one file, one after the other, are one gzip file."""
    packer = zlib.compressobj(LEVEL, wbits=GZIP)
    return packer.compress(data) + packer.flush()


def write(path: Path, chunks: Iterable[bytes], *, pack: bool) -> int:
    """Write chunks to a file, in their order, and return its size; memory holds a few chunks."""
    with path.open("wb") as file:
        if pack:
            _write_packed(file, chunks)
        else:
            file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _write_packed(file: BinaryIO, chunks: Iterable[bytes]) -> None:
    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for chunk in chunks:
                waiting.append(pool.submit(packed, chunk))
                if len(waiting) > WORKERS:
                    file.write(waiting.popleft().result())
            while waiting:
                file.write(waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()


def gathered(lines: Iterable[bytes], size: int = CHUNK) -> Iterator[bytes]:
    """Join lines to chunks of about `size` bytes."""
    held: list[bytes] = []
    count = 0
    for line in lines:
        held.append(line)
        count += len(line)
        if count >= size:
            yield b"".join(held)
            held, count = [], 0
    if held:
        yield b"".join(held)


def pieces(path: Path, passed: Callable[[int], None] = lambda _: None, size: int = CHUNK) -> Iterator[bytes]:
    """Yield the bytes of a file, and tell how many have passed."""
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(size):
            yield chunk
            passed(len(chunk))
