"""Limits as a client meets them: tokens in the queue, batches an hour, sizes and lives of files."""

from tests.integration.local.emulator.running import CHAT, Emulator, chat_line, jsonl, started


def test_enqueued_tokens_are_limited_until_a_batch_ends(fresh: Emulator) -> None:
    fresh.play(enqueued_token_limits={"m": 10}, batches=[{"batch": 1, "do": {"stuck": "in_progress"}}])
    first = fresh.submit(3)  # 3 tokens a line
    fresh.wait(first, "in_progress")
    assert fresh.ledger(first)["enqueued_tokens"] == 6
    failed = fresh.run(3)
    assert failed["status"] == "failed"
    (problem,) = failed["errors"]["data"]
    assert (problem["code"], problem["param"], problem["line"]) == ("token_limit_exceeded", None, None)
    assert "for m in organization" in problem["message"]
    assert "Limit: 10 enqueued tokens" in problem["message"]
    fresh.call("POST", f"/batches/{first}/cancel")
    fresh.wait(first)
    assert fresh.run(3)["status"] == "completed"


def test_another_models_queue_is_its_own(fresh: Emulator) -> None:
    fresh.play(enqueued_token_limits={"*": 3}, batches=[{"batch": 1, "do": {"stuck": "in_progress"}}])
    fresh.wait(fresh.submit(1), "in_progress")
    other = fresh.upload(jsonl([chat_line("a", model="gpt-4o-mini")]))["id"]
    assert fresh.wait(fresh.create(other)["id"])["status"] == "completed"


def test_only_so_many_batches_may_be_created_an_hour(fresh: Emulator) -> None:
    fresh.play(creates_per_hour=2)
    file_id = fresh.upload(jsonl([chat_line("a")]))["id"]
    body = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h"}
    assert [fresh.call("POST", "/batches", json=body).status_code for _ in range(3)] == [200, 200, 429]
    fresh.admin("/clock", {"seconds": 3601})
    assert fresh.call("POST", "/batches", json=body).status_code == 200


def test_a_file_over_the_size_limit_is_refused_at_upload(emulator: Emulator) -> None:
    emulator.play(max_file_bytes=100)
    response = emulator.call("POST", "/files", data={"purpose": "batch"}, files={"file": ("x.jsonl", b"{}\n" * 40)})
    assert (response.status_code, response.json()["error"]["code"]) == (400, None)


def test_a_gateway_refuses_a_file_over_the_size_limit_with_a_page(emulator: Emulator) -> None:
    emulator.play(max_file_bytes=100, too_large_by_gateway=True)
    for size, status in ((30, 200), (40, 413)):
        file = ("x.jsonl", b"{}\n" * size)
        response = emulator.call("POST", "/files", data={"purpose": "batch"}, files={"file": file})
        assert (response.status_code, "html" in response.headers["content-type"]) == (status, status == 413)


def test_a_file_is_pending_for_a_while_and_a_batch_of_it_is_refused_until_it_is_processed(fresh: Emulator) -> None:
    fresh.play(seconds_per_file=60)
    file = fresh.upload(jsonl([chat_line("a")]))
    assert file["status"] == "pending"
    body = {"input_file_id": file["id"], "endpoint": CHAT, "completion_window": "24h"}
    refused = fresh.call("POST", "/batches", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input_file_id")
    fresh.admin("/clock", {"seconds": 61})
    assert fresh.get(f"/files/{file['id']}")["status"] == "processed"
    assert fresh.call("POST", "/batches", json=body).status_code == 200


def test_a_file_may_end_with_an_error(fresh: Emulator) -> None:
    fresh.play(file_status="error")
    file = fresh.upload(jsonl([chat_line("a")]))
    assert (file["status"], fresh.get(f"/files/{file['id']}")["status"]) == ("error", "error")


def test_statuses_have_other_words(fresh: Emulator) -> None:
    fresh.play(statuses={"validating": "QUEUED", "completed": "SUCCESS"})
    file_id = fresh.upload(jsonl([chat_line("a")]))["id"]
    batch = fresh.create(file_id)
    assert batch["status"] == "QUEUED"
    assert fresh.wait(batch["id"], "SUCCESS")["output_file_id"]
    assert fresh.get("/batches")["data"][0]["status"] == "SUCCESS"


def test_files_go_when_they_expire(fresh: Emulator) -> None:
    batch = fresh.run(1, output_expires_after={"anchor": "created_at", "seconds": 3600})
    path = f"/files/{batch['output_file_id']}"
    shown = fresh.get(path)
    assert (shown["purpose"], shown["expires_at"] - shown["created_at"]) == ("batch_output", 3600)
    assert shown["filename"] == f"{batch['id']}_output.jsonl"
    fresh.admin("/clock", {"seconds": 3601})
    assert fresh.call("GET", path).status_code == 404
    assert fresh.call("GET", f"/files/{batch['input_file_id']}").status_code == 200


def test_settings_of_the_command_line_outlive_a_new_scenario() -> None:
    with started("--seconds-per-batch", "0.1", "--enqueued-tokens", "2", "--seed", "9") as emulator:
        emulator.play(ranges=True)
        now = emulator.admin("/scenario")
        assert (now["seconds_per_batch"], now["enqueued_token_limits"], now["seed"]) == (0.1, {"*": 2}, 9)
        assert emulator.run(2)["status"] == "failed"


def test_a_line_with_a_number_or_a_schema_without_end_is_answered(fresh: Emulator) -> None:
    lines = [chat_line("long", max_tokens=10**400), chat_line("deep", response_format=deep_schema()), chat_line("good")]
    ended = fresh.wait(fresh.create(fresh.upload(jsonl(lines))["id"])["id"])
    assert (ended["status"], ended["request_counts"]) == ("completed", {"total": 3, "completed": 2, "failed": 1})


def deep_schema() -> dict[str, object]:
    """Return a schema that refers to itself ten times at each level."""
    schema = {"type": "object", "properties": {key: {"$ref": "#"} for key in "abcdefghij"}}
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
