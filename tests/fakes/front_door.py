"""A front door of Batchyard on loopback, with S3 behind it and a book of what was paid: it fails to order."""

import base64
import hashlib
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "by_made_up_key"
LOOKS = 2  # at a batch before it has ended


class Books:
    """What the service knows: files with their parts, batches with their keys."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.files: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, tuple[str, str]] = {}
        self.reports: dict[str, dict[str, Any]] = {}
        #: The batches that a provider was paid for.
        self.paid: list[str] = []
        #: Each part that arrived, as often as it did.
        self.parts: list[tuple[str, int]] = []
        #: The bytes of results that were asked for, by the `Range` of the request.
        self.ranges: list[str] = []
        #: custom_ids whose requests fail.
        self.failing: set[str] = set()
        #: Those of them that were never sent, because a budget is spent.
        self.held_back: set[str] = set()
        #: The generation of links that are good.
        self.links = 0
        #: Called before and after each request is carried out, with a name such as "POST /v1/batches".
        self.watch: Callable[[str, str], None] = lambda _when, _name: None
        #: What a dry run finds, where a test says so, and the bad lines.
        self.preflight: dict[str, Any] = {}
        self.faults: list[dict[str, Any]] = []
        #: Whether single lines can be looked at; after some days they cannot.
        self.lines_kept = True
        #: What was used, by group, and in total.
        self.used: dict[str, dict[str, Any]] = {"total": {}}
        #: How many of the next requests are hung up on before anything is done.
        self.hang_ups = 0
        #: Bytes of the next answer with a result before the connection breaks.
        self.cut: int | None = None

    def announce(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Announce a file, or give its addresses again."""
        if "file_id" in body:
            file = self.files.get(body["file_id"])
            if file is None:
                return 404, _error("No such File object")
        else:
            file_id = f"file-{len(self.files)}"
            file = {"id": file_id, "bytes": body["bytes"], "filename": body["filename"], "status": "uploaded",
                    "size": body.get("part_bytes") or body["bytes"], "there": {}}  # fmt: skip
            self.files[file_id] = file
        return 200, {**{name: file[name] for name in ("id", "bytes", "filename")}, **self._way(file)}

    def _way(self, file: dict[str, Any]) -> dict[str, Any]:
        if sum(map(len, file["there"].values())) == file["bytes"]:
            file["status"] = "processed"
            self.contents[file["id"]] = b"".join(file["there"][at] for at in sorted(file["there"]))
        starts = enumerate(range(0, file["bytes"], file["size"]), start=1)
        parts = [
            {"number": at, "bytes": min(file["size"], file["bytes"] - start),
             "url": f"{self.address}/s3/{file['id']}/{at}?links={self.links}"}
            for at, start in starts if at not in file["there"]
        ]  # fmt: skip
        upload = {"method": "PUT", "headers": {}, "expires_at": 0, "parts": parts}
        return {"object": "file", "status": file["status"], "upload": upload}

    address = ""

    def put(self, path: str, query: dict[str, list[str]], data: bytes) -> tuple[int, Any]:
        """Take a part, where the link is good."""
        _, _, file_id, number = path.split("/")
        if query["links"] != [str(self.links)]:
            return 403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
        self.files[file_id]["there"][int(number)] = data
        self.parts.append((file_id, int(number)))
        return 200, ""

    def form(self, data: bytes) -> tuple[int, Any]:
        """Take the file of a form."""
        content = data.split(b"application/octet-stream\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = {"id": file_id, "bytes": len(content), "filename": "in.jsonl", "status": "processed",
                               "there": {1: content}, "size": len(content)}  # fmt: skip
        self.contents[file_id] = content
        return 200, {"id": file_id, "object": "file", "bytes": len(content), "status": "processed"}

    def create(self, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        """Create the batch of a key, once."""
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        if key in self.keys:
            known, batch_id = self.keys[key]
            if known != digest:
                return 409, _error("This key was used with another body", "idempotency_key_reused")
            return 200, self.batches[batch_id]
        batch_id = f"batch_{len(self.batches):032x}"
        self.keys[key] = digest, batch_id
        batch = {"id": batch_id, "object": "batch", "status": "validating", "endpoint": body["endpoint"], "looks": 0,
                 "input_file_id": body["input_file_id"], "metadata": body.get("metadata"), "created_at": 1,
                 "dry_run": body.get("dry_run", False), "provider": body.get("provider"),
                 "request_counts": {"total": 0, "completed": 0, "failed": 0}}  # fmt: skip
        self.batches[batch_id] = batch
        if body["input_file_id"] not in self.contents:
            batch |= {"status": "failed", "errors": {"data": [{"message": "no such input", "code": "invalid_request"}]}}
        elif not batch["dry_run"]:
            self.paid.append(batch_id)
        return 200, batch

    def look(self, batch_id: str) -> tuple[int, dict[str, Any]]:
        """Show a batch, which ends after some looks."""
        if batch_id not in self.batches:
            return 404, _error("No batch found")
        batch = self.batches[batch_id]
        batch["looks"] += 1
        if batch["status"] in ("validating", "in_progress"):
            batch["status"] = "in_progress"
            if batch["looks"] >= LOOKS:
                self._end(batch)
        return 200, batch

    def lines(self, batch: dict[str, Any], query: dict[str, list[str]]) -> dict[str, Any]:
        """Show some lines with their answers."""
        found = [line for name in ("output", "error") for line in self.contents[batch[f"{name}_file_id"]].splitlines()]
        results = {line["custom_id"]: line for line in map(json.loads, found)}
        first, limit = int(query["from"][0]), int(query["limit"][0])
        all_ = [
            {"line": at, "custom_id": request["custom_id"], "request": request,
             "result": results[request["custom_id"]], "cut": {}}
            for at, request in enumerate(self._requests(batch), start=1)
            if at >= first and ("outcome" not in query or request["custom_id"] in self.failing)
        ]  # fmt: skip
        following = all_[limit]["line"] if len(all_) > limit else None
        return {"object": "list", "data": all_[:limit], "has_more": following is not None, "next": following}

    def _requests(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        content = self.contents[batch["input_file_id"]]
        plain = zlib.decompress(content, 47) if content[:2] == b"\x1f\x8b" else content
        return [json.loads(line) for line in plain.splitlines()]

    def _end(self, batch: dict[str, Any]) -> None:
        lines = self._requests(batch)
        good = [line for line in lines if line["custom_id"] not in self.failing]
        bad = [line for line in lines if line["custom_id"] in self.failing]
        batch["request_counts"] = {"total": len(lines), "completed": len(good), "failed": len(bad)}
        batch["status"] = "completed"
        if batch["dry_run"]:
            batch["preflight"] = self.preflight or {"lines": len(lines), "estimated_usd": 0.5}
            batch["errors"] = {"data": self.faults} if self.faults else None
            return
        batch["cost"] = {"usd": 0.25, "by_model": {"m": {"usd": 0.25, "input_usd": 0.05, "output_usd": 0.2,
                                                          "input_tokens": 50, "output_tokens": 100}}}  # fmt: skip
        for name, found in (("output", good), ("error", bad)):
            answers = (
                _held_back(line) if line["custom_id"] in self.held_back else _answered(line, failed=name == "error")
                for line in found
            )
            data = b"".join(json.dumps(answer).encode() + b"\n" for answer in answers)
            file_id = f"file-{name}-{batch['id'][-6:]}"
            self.contents[file_id], batch[f"{name}_file_id"] = data, file_id
        self.reports[batch["id"]] = {
            member: _proof(self.contents[batch[f"{name}_file_id"]])
            for member, name in (("output", "output"), ("errors", "error"))
        }


def _answered(line: dict[str, Any], *, failed: bool) -> dict[str, Any]:
    said = {"error": {"message": "too long", "code": "context_length_exceeded"}} if failed else {
        "model": "m", "choices": [{"message": {"content": f"answer to {line['custom_id']}"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 10},
    }  # fmt: skip
    response = {"status_code": 400 if failed else 200, "request_id": "r", "body": said}
    return {"id": "x", "custom_id": line["custom_id"], "response": response, "error": None}


def _held_back(line: dict[str, Any]) -> dict[str, Any]:
    error = {"code": "budget_exceeded", "message": "The budget of this month is spent."}
    return {"id": "x", "custom_id": line["custom_id"], "response": None, "error": error}


def _proof(data: bytes) -> dict[str, Any]:
    crc = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    return {
        "bytes": len(data),
        "lines": data.count(b"\n"),
        "sha256": hashlib.sha256(data).hexdigest(),
        "checksum": f"CRC32:{crc}",
    }


def _error(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": code, "param": None}}


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        books, parts = self.server.books, urlsplit(self.path)
        with suppress(OSError):  # the client is gone, as the test wants it
            length = int(self.headers.get("content-length", 0))
            data = self.rfile.read(length)
            if len(data) < length:  # the client died while it sent
                self.close_connection = True
                return
            name = f"{self.command} {parts.path}"
            if books.hang_ups:
                books.hang_ups -= 1
                self.close_connection = True
                return
            books.watch("before", name)
            with books.lock:
                status, found = self._answer(books, parts.path, parse_qs(parts.query), data)
            books.watch("after", name)
            self._send(status, found)

    def _answer(  # noqa: C901 - a case for each route
        self, books: Books, path: str, query: dict[str, list[str]], data: bytes
    ) -> tuple[int, Any]:
        if path.startswith("/s3/"):
            assert "authorization" not in self.headers, "the key went to S3"
            return books.put(path, query, data)
        if self.headers.get("authorization") != f"Bearer {KEY}":
            return 401, _error("Incorrect API key provided")
        match self.command, path.removeprefix("/v1").strip("/").split("/"):
            case "GET", ["usage"]:
                by = query.get("group_by", ["day"])[0]
                sums = [{by: name, **books.used[name]} for name in sorted(books.used) if name != "total"]
                return 200, {"object": "usage", "group_by": by, "data": sums, "total": books.used["total"]}
            case "POST", ["uploads", "presign"]:
                return books.announce(json.loads(data))
            case "POST", ["files"]:
                return books.form(data)
            case "GET", ["files", file_id] if file_id in books.files:
                return 200, {name: books.files[file_id][name] for name in ("id", "bytes", "filename", "status")}
            case "GET", ["files", file_id, "content"] if file_id in books.contents:
                return 200, books.contents[file_id]
            case "POST", ["batches"]:
                return books.create(json.loads(data), self.headers["idempotency-key"])
            case "GET", ["batches"]:
                return 200, {"object": "list", "data": [*books.batches.values()][::-1], "has_more": False}
            case "GET", ["batches", batch_id]:
                return books.look(batch_id)
            case "POST", ["batches", batch_id, "cancel" | "resume"] if batch_id in books.batches:
                return 200, books.batches[batch_id]
            case "GET", ["batches", batch_id, "lines"] if books.lines_kept and batch_id in books.reports:
                return 200, books.lines(books.batches[batch_id], query)
            case "GET", ["batches", batch_id, "shards"] if books.lines_kept and batch_id in books.reports:
                return 200, {"object": "list", "data": [], "progress": [{"at": 1, "completed": 0, "failed": 0}]}
            case "GET", ["batches", batch_id, "report"] if batch_id in books.reports:
                return 200, books.reports[batch_id]
        return 404, _error("Not found")

    def _send(self, status: int, found: Any) -> None:
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        whole, books = len(body), self.server.books
        given = self.headers.get("range", "")
        if isinstance(found, bytes):
            books.ranges.append(given)
        self.send_response(206 if given else status)
        if given:
            start = int(given.removeprefix("bytes=").removesuffix("-"))
            body = body[start:]
            self.send_header("content-range", f"bytes {start}-{whole - 1}/{whole}")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if isinstance(found, bytes) and books.cut is not None:
            body, books.cut, self.close_connection = body[: books.cut], None, True
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    books: Books

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that are gone."""


@contextmanager
def front_door() -> Iterator[Books]:
    """Serve until the block ends; `address` of the books says where, without /v1."""
    books = Books()
    server = _Server(("127.0.0.1", 0), _Door)
    server.books = books
    books.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield books
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
