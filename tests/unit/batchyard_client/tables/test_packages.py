"""What works without pyarrow, and what is told where a package is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

START = """
import sys
sys.modules |= dict.fromkeys(["pyarrow", "boto3", "compression.zstd"])  # an import of these fails
from batchyard_client import tables
from tests.unit.batchyard_client.tables.made import ASK, chats
rows = [{"text": "a"}, {"text": "b"}]
"""


def run(folder: Path, code: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", START + code, str(folder)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    return done.stdout


def test_text_files_need_no_pyarrow(tmp_path: Path) -> None:
    code = """
for name in ("o.csv", "o.tsv", "o.jsonl", "o.json", "o.csv.gz"):
    path = f"{sys.argv[1]}/{name}"
    tables.write(path, tables.read(rows), ASK, chats(2))
    table = tables.read(path)
    assert len(list(tables.requests(table, ASK))) == 2
    print(name, table.fingerprint()[:6], [row["answer"] for row in table.rows()])
"""
    assert run(tmp_path, code).splitlines() == [
        f"{name} sha256 ['good', 'good']" for name in ("o.csv", "o.tsv", "o.jsonl", "o.json", "o.csv.gz")
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ('tables.read(f"{sys.argv[1]}/t.parquet")', 'pip install "batchyard-client[tables]"'),
        ('tables.check_target(f"{sys.argv[1]}/o.parquet", tables.read(rows))', "need pyarrow, which is not installed"),
        (
            'tables.check_target(f"{sys.argv[1]}/o.csv.zst", tables.read(rows))',
            "A .zst file needs Python 3.14 or pyarrow",
        ),
        ('tables.read(f"{sys.argv[1]}/z.csv")', "A .zst file needs Python 3.14 or pyarrow"),
        ('tables.read("s3://bucket/t.csv")', "s3:// needs boto3 or pyarrow"),
    ],
)
def test_a_missing_package_is_told_with_how_to_get_it(tmp_path: Path, code: str, told: str) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    (tmp_path / "z.csv").write_bytes(b"\x28\xb5\x2f\xfd")
    caught = f"\ntry:\n    {code}\nexcept tables.MissingPackage as error:\n    print(error)\n"
    assert told in run(tmp_path, caught)


def test_nothing_heavy_is_imported_before_it_is_needed(tmp_path: Path) -> None:
    code = 'print([name for name in ("pyarrow", "boto3", "pandas") if sys.modules.get(name)])'
    assert run(tmp_path, code.replace("sys.modules.get", "sys.modules.get")) == "[]\n"
