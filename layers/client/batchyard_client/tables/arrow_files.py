"""Files of Parquet and Arrow."""

import io
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, Any, Final

from .arrow_table import ArrowTable
from .packages import pyarrow
from .packing import unpacked
from .sources import Source
from .table import BLOCK_ROWS

_READ_AHEAD: Final = 1 << 20  # bytes of a column that are held while its pages are decoded
_ARROW_FILE: Final = b"ARROW1"


class FileTable(ArrowTable):
    """Rows of a file that is read at any place."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name, self.path = source.name, source.path
        _ = self.schema

    def fingerprint(self) -> str:
        """Hash the bytes of the file."""
        return self._source.fingerprint()

    def _open(self) -> IO[bytes]:
        """Open the file; one that is packed is unpacked to the disk, because Parquet is read from its end."""
        file = self._source.open()
        plain = unpacked(file, self.name)
        if plain is file:
            return file
        with plain:
            spool = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
            shutil.copyfileobj(plain, spool, _READ_AHEAD)
        spool.seek(0)
        return spool


class ParquetTable(FileTable):
    """Rows of a Parquet file; of its columns only those that are needed are decoded."""

    def _schema(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        with self._open() as file:
            return pyarrow("parquet").ParquetFile(file).schema_arrow

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        with self._open() as file:
            found = pyarrow("parquet").ParquetFile(file, buffer_size=_READ_AHEAD, pre_buffer=False)
            rows = max(1, found.metadata.num_rows)
            bytes_of_row = sum(found.metadata.row_group(n).total_byte_size for n in range(found.num_row_groups)) // rows
            step = max(16, min(BLOCK_ROWS, 4 * _READ_AHEAD // max(1, bytes_of_row)))
            yield from found.iter_batches(batch_size=step, columns=columns, use_threads=False)


class ArrowFileTable(FileTable):
    """Rows of an Arrow file, which Feather files are too, or of a stream of Arrow that was saved."""

    def _schema(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        with self._open() as file:
            return _reader(file).schema

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        with self._open() as file:
            reader = _reader(file)
            if hasattr(reader, "num_record_batches"):
                batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
            else:
                batches = iter(reader)
            for batch in batches:
                yield batch.select(columns)


def _reader(file: IO[bytes]) -> Any:  # noqa: ANN401 - pyarrow has no types
    start = file.read(len(_ARROW_FILE))
    file.seek(0, io.SEEK_SET)
    ipc = pyarrow("ipc")
    return ipc.open_file(file) if start == _ARROW_FILE else ipc.open_stream(file)
