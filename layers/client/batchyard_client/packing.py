"""Whether a file arrives earlier if it is packed first: measured, not guessed."""

import time
from pathlib import Path
from typing import Final

from . import spool
from .front import Front

SAMPLE: Final = 4 * 1024 * 1024  # bytes that are sent and packed to measure
LEAST: Final = 16 * SAMPLE  # bytes of a file for which a measurement pays
GAIN: Final = 0.8  # of the time without packing


def pays_off(front: Front, path: Path | None) -> bool:
    """Tell whether to pack a file: send a sample of the file, which is removed again, and pack the sample."""
    if path is None or path.suffix == ".gz" or path.stat().st_size < LEAST:
        return False
    with path.open("rb") as file:
        sample = file.read(SAMPLE)
    way = front.patience.run(lambda: front.service.announce("sample.bin", SAMPLE, None, "user_data"))
    [part] = way["upload"]["parts"]
    started = time.perf_counter()
    front.patience.run(lambda: front.service.client.put_elsewhere(part["url"], sample, way["upload"]["headers"]))
    sent = time.perf_counter() - started
    front.patience.run(lambda: front.service.client.delete_file(str(way["id"])))
    started = time.perf_counter()
    packed = len(spool.packed(sample))
    return faster(sent, time.perf_counter() - started, packed / len(sample))


def faster(sent: float, packed: float, ratio: float) -> bool:
    """Tell whether packing and sending the rest takes less; times are seconds for the sample, on one core."""
    return packed / spool.WORKERS + sent * ratio < GAIN * sent
