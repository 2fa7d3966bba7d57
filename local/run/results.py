"""Put the results of a run into the user's folder: all of them or none, and never mixed with those of another run."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from local.errors import ResultsError
from local.run.out_folder import RESULTS, publish
from local.run.retry import write_retry
from local.stack.running import TENANT, Stack


def fetch_results(stack: Stack, batch_id: str, out: Path, say: Callable[[str], None]) -> list[Path]:
    """Download the results of the batch into a folder of its own in `out`, and return their paths.

    Raises:
        ResultsError: the results cannot be written.

    """
    try:
        with tempfile.TemporaryDirectory(prefix=".results-", dir=out) as place:
            incoming = Path(place, batch_id)
            incoming.mkdir()
            if not _download(stack, batch_id, incoming):
                return []
            write_retry(stack, incoming, say)
            return publish(incoming, out, say)
    except OSError as error:
        raise ResultsError(f"The results could not be written to {out}: {error.strerror}.") from error


def _download(stack: Stack, batch_id: str, folder: Path) -> bool:
    """Download what the batch has, and return whether it has anything."""
    prefix = f"results/{TENANT}/{batch_id}/"
    listed = stack.clients.s3.list_objects_v2(Bucket=stack.bucket, Prefix=prefix).get("Contents", [])
    present = {item["Key"].removeprefix(prefix) for item in listed} & set(RESULTS)
    for name in present:
        stack.clients.s3.download_file(stack.bucket, prefix + name, str(folder / name))
    return bool(present)
