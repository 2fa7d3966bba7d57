"""What the report of a gathered batch says of its files."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from batchyard.adapters import checksums
from batchyard.domain import object_keys
from batchyard.domain.batch import Batch
from batchyard.lines.file_entries import write_entries
from batchyard.lines.file_places import FileResults, read_table
from batchyard.services import Services

SHOWN_FILES: Final = 1_000  # in the report itself


def report_files(services: Services, batch: Batch, results: FileResults | None = None) -> dict[str, Any]:
    """Write what is to be said of each file into an object beside the report, and return what the report says of the files.

    Many files stand in that object alone. A dry run has no `results`.
    """
    table = read_table(services.bucket, batch.batch_id)
    sums = {"files_total": len(table.files), "files_set_aside": sum(file.reason is not None for file in table.files)}
    key = write_entries(services.bucket, batch, _shown(services, batch, results))
    shown = list(_shown(services, batch, results)) if len(table.files) <= SHOWN_FILES else None
    return {**sums, "files": shown, "files_key": key}


def _shown(services: Services, batch: Batch, results: FileResults | None) -> Iterator[dict[str, Any]]:
    """Yield each file as the report shows it."""
    files, table = services.bucket.file_list(batch.input), read_table(services.bucket, batch.batch_id)
    every = results.files if results else [None] * len(table.files)
    for at, (file, read, result) in enumerate(zip(files.files, table.files, every, strict=True)):
        following = table.files[at + 1].requests if at + 1 < len(table.files) else table.requests
        has_key = object_keys.why_without_results(batch.tenant, batch.batch_id, file.name) is None
        own = {"bytes": file.size, "checksum": checksums.shown(read.crc32) if read.reason is None else None}
        yield {
            "number": at + 1, "file": file.name, "key": files.file(at).key, "version_id": file.version_id, "etag": file.etag,
            **own, "arrived_at": file.at, "lines": following - read.requests,
            "completed": result.completed if result else 0, "failed": result.failed if result else 0,
            "set_aside": msgspec.to_builtins(read.reason),
            "output": _object(result.output_bytes, result.output_crc32) if result and has_key else None,
            "errors": _object(result.errors_bytes, result.errors_crc32) if result and has_key else None,
        }  # fmt: skip


def _object(size: int, crc32: int) -> dict[str, Any]:
    return {"bytes": size, "checksum": checksums.shown(crc32)}
