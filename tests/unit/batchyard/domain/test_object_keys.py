"""Where things lie, and whose they are."""

import pytest

from batchyard.domain import object_keys

ODD = "märz 2026/100% a+b = c/%2B 問い 🚂.jsonl"


@pytest.mark.parametrize(
    ("key", "tenant"),
    [
        ("inbox/acme/in.jsonl", "acme"),
        ("inbox/acme/2026/11/in.jsonl", "acme"),
        (f"inbox/acme/{ODD}", "acme"),
        ("inbox/in.jsonl", "default"),
        ("inbox/default/in.jsonl", "default"),
        ("inbox//in.jsonl", "default"),
        ("inbox/inbox/in.jsonl", "inbox"),
        ("inbox/..//in.jsonl", ".."),
        ("inbox/ä%2B b/in.jsonl", "ä%2B b"),
    ],
)
def test_the_folder_below_the_inbox_is_the_tenant(key: str, tenant: str) -> None:
    assert object_keys.tenant_of(key) == tenant
    assert object_keys.readable_by(tenant, key)
    assert not object_keys.readable_by("somebody", key)


@pytest.mark.parametrize(
    "key",
    [
        "inbox/acme2/in.jsonl", "inbox/acm/in.jsonl", "files/acme2/f", "files/acme", "results/acme/b/output.jsonl",
        "work/batch_0/plan/shards.json", "acme/in.jsonl", "/inbox/acme/in.jsonl", "Inbox/acme/in.jsonl", "",
    ],
)  # fmt: skip
def test_nobody_reads_what_is_not_theirs_or_no_input(key: str) -> None:
    assert not object_keys.readable_by("acme", key)


def test_an_upload_by_api_is_its_tenant_s() -> None:
    assert object_keys.readable_by("acme", "files/acme/file-1")


def test_work_and_results_of_batches_and_shards_never_meet() -> None:
    attempts = [(0, 1, 1), (0, 2, 1), (1, 1, 1), (0, 1, 2), (0, 1, 11), (0, 11, 1)]
    names = [
        object_keys.result("t", "b", "output.jsonl"),
        object_keys.result("t", "c", "output.jsonl"),
        object_keys.plan("b", "shards.json"),
        *(object_keys.shard_lines("b", number) for number in (0, 1, 100_000)),
        *(object_keys.attempt("b", *numbers, "output") for numbers in attempts),
    ]
    assert len(set(names)) == len(names)
    assert all(name.startswith(("work/b/", "results/t/")) for name in names)
    assert not any(object_keys.readable_by("t", name) for name in names)


@pytest.mark.parametrize(
    ("prefix", "remedy"),
    [
        ("gather/acme/\ud800/", "half a character"),
        ("", "neither '.' nor '..'"), ("gather/acme/..", "neither"), ("gather/acme/../", "neither"),
        ("gather/acme/x", "Write 'gather/acme/x/'"), ("gather/acme/x/a.jsonl", "Write 'gather/acme/x/'"),
        ("gather/acme/x//", "Write 'gather/acme/x/'"), ("gather/other/x/", "another tenant"), ("gather/other/x", "neither"),
        (f"gather/acme/{'ä' * 512}/", "fewer than 1024 bytes"), (f"gather/acme/x/{'y' * 1024}", "fewer than 1024 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_gather_folder_of_a_tenant_is_told_with_what_would_be(prefix: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=f"^must be gather/acme/<name>/, with '/' at its end. .*{remedy}"):
        object_keys.own_folder("acme", prefix)


def test_a_gather_folder_is_that_of_its_tenant() -> None:
    assert object_keys.own_folder("acme", "gather/acme/tickets/") == ("acme", "tickets")
    assert object_keys.folder_within("acme", "gather/acme/tickets/a/b.jsonl") == "gather/acme/tickets/"
    assert object_keys.folder_within("acme", "gather/other/tickets/") is None
