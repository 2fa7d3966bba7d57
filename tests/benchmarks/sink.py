"""A server that takes uploads, counts and forgets them, and answers a GET as a bucket does, with as many bytes as it asks for.

`python -m tests.benchmarks.sink` prints its port and ends with stdin.
"""

import json
import os
import re
import socket
import sys
import threading

BUFFER = 1024 * 1024
MOST_CONNECTIONS = 10_000
HEAD_END = b"\r\n\r\n"
LAST_CHUNK = b"\r\n0\r\n\r\n"


def main() -> None:
    """Serve each connection in a thread."""
    server = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{server.getsockname()[1]}\n")
    sys.stdout.flush()
    threading.Thread(target=_leave_with_stdin, daemon=True).start()
    for _ in range(MOST_CONNECTIONS):
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    """Answer one request after the other until the client leaves; an upload ends the connection."""
    with connection:
        while head := _head(connection):
            if not head.startswith(b"GET"):
                _answer(connection, _received(connection, head))
                return
            _send(connection, head)


def _head(connection: socket.socket) -> bytes:
    head = b""
    while HEAD_END not in head:
        data = connection.recv(BUFFER)
        if not data:
            return b""
        head += data
    return head


def _send(connection: socket.socket, head: bytes) -> None:
    asked = re.search(rb"range: bytes=(\d+)-(\d+)", head.lower())
    if asked is None:
        raise ValueError("a GET needs a Range")
    left = int(asked[2]) - int(asked[1]) + 1
    fields = f"Content-Length: {left}\r\nContent-Range: bytes {int(asked[1])}-{int(asked[2])}/*\r\nETag: x"
    connection.sendall(f"HTTP/1.1 206 Partial Content\r\n{fields}\r\n\r\n".encode())
    zeros = memoryview(bytes(BUFFER))
    while left:
        count = min(left, BUFFER)
        connection.sendall(zeros[:count])
        left -= count


def _leave_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)  # the main thread waits in accept


def _received(connection: socket.socket, head: bytes) -> int:
    """Read the rest of a request and count the bytes of its body as they came."""
    fields, _, begun = head.partition(HEAD_END)
    length = next(
        (int(line.split(b":")[1]) for line in fields.lower().split(b"\r\n") if b"content-length" in line), None
    )
    buffer = bytearray(BUFFER)
    count, tail = len(begun), begun[-len(LAST_CHUNK) :]
    while count < length if length is not None else tail != LAST_CHUNK:
        got = connection.recv_into(buffer)
        if not got:
            raise ConnectionError(f"the upload ended after {count} bytes")
        count += got
        tail = (tail + buffer[max(0, got - len(LAST_CHUNK)) : got])[-len(LAST_CHUNK) :]
    return count


def _answer(connection: socket.socket, size: int) -> None:
    file = {
        "id": "file-1", "object": "file", "bytes": size, "created_at": 1, "filename": "f.jsonl", "purpose": "batch",
        "status": "processed",
    }  # fmt: skip
    body = json.dumps(file).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


if __name__ == "__main__":
    main()
