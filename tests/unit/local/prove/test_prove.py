"""What `make prove` says before it spends, what it sends, and how it compares a run with the row of facts."""

import json
from decimal import Decimal
from typing import Any

import pytest

from batch_client import PROFILES, Facts, Look, Profile, RequestCounts, State
from local.errors import ParameterError
from local.prove.choice import Choice, Place, choose
from local.prove.facts import compare
from local.prove.lines import MOST_TOKENS, Asked, Batch, asked_of, batches
from local.prove.price import estimate, prices
from local.prove.results import note_results
from local.prove.seen import Job, begun, note

OPENAI = PROFILES["openai"].facts
CHAT = Asked("gpt-4.1-nano", "/v1/chat/completions")
ONE = {"PROVIDER_BASE_URL": "https://api.openai.com/v1", "PROVIDER_API_KEY": "sk-x"}
SEVERAL = {
    "claude": {"base_url": "https://api.anthropic.com", "api_key": "k", "models": ["claude-*", "claude-opus-4-5"]},
    "llama": {"base_url": "https://api.groq.com/openai/v1", "api_key": "k", "completion_window": "7d"},
    "own": {"base_url": "https://llm.example.com/v1", "api_key": "k", "models": ["m-*"]},
}


def several(wanted: str, model: str = "") -> Any:
    return choose({"PROVIDERS": json.dumps(SEVERAL)}, wanted, model)


def batch(count: int = 3, name: str = "two") -> Batch:
    ids = tuple(f"r{at}" for at in range(count))
    return Batch(name, tuple(b"{}\n" for _ in ids), ids)


def test_one_provider_is_chosen_by_its_address_and_asked_for_a_cheap_model() -> None:
    found = choose(ONE, "", "")
    assert (found.name, found.asked, found.window) == ("openai", CHAT, "24h")


def test_a_profile_may_be_named_for_the_one_provider() -> None:
    assert choose(ONE, "anthropic", "").asked == Asked("claude-haiku-4-5", "/v1/messages")


def test_one_of_several_is_named_and_gives_its_window_and_its_exact_model() -> None:
    assert several("claude").asked == Asked("claude-opus-4-5", "/v1/messages")
    assert several("llama").window == "7d"


BEDROCK = {"base_url": "https://bedrock.us-east-1.amazonaws.com", "models": ["amazon.*"]}
PLACE = Place("my-bucket", "arn:aws:iam::123456789012:role/batches")


def signature(choice: Choice) -> str:
    """Return what stands in the header of a request that the client of a choice signs."""
    assert not isinstance(choice.key, str)
    return choice.key.sign("bedrock", "GET", f"{choice.provider.url}/x", {}, "0" * 64)["Authorization"]


@pytest.fixture
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMACHINE000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s" * 40)


@pytest.mark.usefixtures("_machine")
@pytest.mark.parametrize(
    ("key", "signs"), [({"api_key": f"AKIAENTRY00000000000:{'t' * 40}"}, "AKIAENTRY"), ({}, "AKIAMACHINE")]
)
def test_the_access_key_of_an_entry_signs_and_else_the_credentials_of_the_machine(key: Any, signs: str) -> None:
    host = {"PROVIDERS": json.dumps({"bedrock": {**BEDROCK, **key}})}
    assert signs in signature(choose(host, "bedrock", "amazon.nova-lite-v1:0", PLACE))
    one = {"PROVIDER_BASE_URL": BEDROCK["base_url"], "PROVIDER_API_KEY": key.get("api_key", "")}
    assert signs in signature(choose(one, "", "amazon.nova-lite-v1:0", PLACE))


@pytest.mark.parametrize(
    ("wanted", "told"), [("", "claude, llama, own"), ("gpt", "none of PROVIDERS"), ("own", "MODEL=…")]
)
def test_a_choice_that_is_not_clear_is_refused_with_what_to_type(wanted: str, told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        several(wanted)


def test_without_a_provider_it_says_how_to_name_one() -> None:
    with pytest.raises(ParameterError, match="PROVIDER_BASE_URL"):
        choose({}, "", "")


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_there_is_a_question_for_each_service_within_its_least_and_its_endpoint(name: str) -> None:
    profile, asked = PROFILES[name], asked_of(PROFILES[name], "m")
    sent = batches(asked, profile.facts, "run")
    assert all(len(each.lines) >= profile.facts.least_lines for each in sent)
    assert {json.loads(line)["url"] for each in sent for line in each.lines} == {asked.url}


def test_the_name_of_an_endpoint_may_hold_the_model() -> None:
    facts = Facts(endpoints=("/model/*/invoke", "/model/*/converse"), least_lines=100)
    asked = asked_of(Profile(name="odd", dialect="anthropic", facts=facts), "a.b-v1:0")
    assert asked.url == "/model/a.b-v1:0/converse"
    assert len(batches(asked, facts, "run")) == 3


def test_a_service_that_takes_no_small_batch_gets_none() -> None:
    assert [len(each.lines) for each in batches(CHAT, Facts(least_lines=100), "run")] == [100, 100, 100]


def test_one_line_is_bad_on_purpose_and_every_other_has_a_bounded_answer() -> None:
    bodies = [json.loads(line)["body"] for each in batches(CHAT, OPENAI, "run") for line in each.lines]
    assert [body["messages"] for body in bodies].count([]) == 1
    assert all(body["max_tokens"] == MOST_TOKENS for body in bodies)


def test_the_bound_is_the_full_price_of_a_token_a_byte() -> None:
    jobs = batches(CHAT, OPENAI, "run")
    size = sum(len(each.data) for each in jobs)
    found = estimate(jobs, CHAT, prices(OPENAI, ""))
    assert found.most_usd == pytest.approx(
        (Decimal(size) * Decimal("0.1") + found.most_output_tokens * Decimal("0.4")) / 10**6
    )
    assert found.usd is not None
    assert found.usd < found.most_usd
    assert "124 requests" in found.sentence
    assert "at most $0.00" in found.sentence


def test_a_price_that_is_not_known_is_said_in_tokens() -> None:
    found = estimate([batch()], Asked("who-knows", CHAT.url), prices(OPENAI, ""))
    assert (found.usd, found.most_usd) == (None, None)
    assert "not known" in found.sentence


def test_the_users_own_price_holds() -> None:
    own = prices(Facts(), json.dumps({"mine": {"input": 1000, "output": 0}}))
    assert estimate([batch(1)], Asked("mine", CHAT.url), own).most_usd == Decimal("0.003")


def answer(custom_id: str, status: int = 200, **usage: int) -> bytes:
    body = {"usage": usage} if usage else {}
    return json.dumps({"custom_id": custom_id, "response": {"status_code": status, "body": body}}).encode() + b"\n"


def test_results_are_counted_and_their_order_is_that_of_each_file() -> None:
    job, seen = begun(batch(4)), Look(id="b", state=State.ENDED, status="completed")
    first = [answer("r1", prompt_tokens=3, completion_tokens=2), answer("r2"), answer("r9"), b"not json\n"]
    note_results(job, batch(4), seen, [first, [answer("r0", 400)]])
    assert (job.succeeded, job.refused, job.strays, job.without_answer) == (2, 1, 2, 1)
    assert job.in_input_order is True
    assert (job.usage_in_lines, job.used.input_tokens, job.used.output_tokens) == (1, 3, 2)


def test_another_order_and_requests_that_never_ran_are_seen() -> None:
    job, seen = begun(batch()), Look(id="b", state=State.ENDED, status="cancelled")
    expired = json.dumps({"custom_id": "r0", "error": {"code": "batch_cancelled"}}).encode()
    note_results(job, batch(), seen, [[answer("r2"), answer("r1"), expired]])
    assert (job.in_input_order, job.not_run, job.succeeded) == (False, 1, 2)


def looks(*seen: Look, name: str = "hundred") -> Job:
    job = begun(batch(name=name))
    for each in seen:
        note(job, each)
    return job


def running(done: int | None) -> Look:
    counts = None if done is None else RequestCounts(3, done, 0)
    return Look(id="b", state=State.RUNNING, status="in_progress", counts=counts)


def verdict(fact: str, job: Job, **facts: object) -> str:
    found = compare(Facts(source="made up", **facts), [job], "24h")  # type: ignore[arg-type]  # each fact has its own type
    return next(each.verdict for each in found if each.name == fact)


@pytest.mark.parametrize(
    ("done", "row", "told"),
    [
        ([0, 2], "live", "holds"), ([0, 2], "end", "differs"), ([0, 2], "none", "differs"), ([0, 0], "end", "holds"),
        ([0, 0], "live", "not seen"), ([None], "none", "holds"), ([None], "live", "differs"), ([], "live", "not seen"),
    ],
)  # fmt: skip
def test_how_counts_moved_is_held_against_the_row(done: list[int | None], row: str, told: str) -> None:
    assert verdict("progress", looks(*map(running, done)), progress=row) == told


@pytest.mark.parametrize(
    ("left", "before", "row", "told"),
    [
        (2, 1, "answers", "holds"), (2, 1, "nothing", "differs"), (0, 2, "answers", "differs"),
        (0, 2, "nothing", "holds"), (0, 0, "answers", "not seen"), (3, 1, "nothing", "not seen"),
    ],
)  # fmt: skip
def test_what_a_cancel_left_is_held_against_the_row(left: int, before: int, row: str, told: str) -> None:
    job = looks(running(before), name="cancel")
    job.succeeded, job.run_before_cancel = left, before
    assert verdict("after_cancel", job, after_cancel=row) == told


@pytest.mark.parametrize(
    ("lookups", "key", "row", "told"),
    [
        (["not found", "found", "found"], "k", "metadata", "holds"),
        (["not found", "not found", "found"], "k", "metadata", "differs"),
        (["not found", "cannot tell", "found"], "", "time", "holds"),
        (["not found", "cannot tell", "cannot tell"], "", "time", "differs"),
        (["cannot tell", "found", "found"], "k", "none", "differs"),
        (["cannot tell", "cannot tell"], "", "none", "holds"),
    ],
)
def test_how_a_job_was_found_is_held_against_the_row(lookups: list[str], key: str, row: str, told: str) -> None:
    job = looks(Look(id="b", state=State.RUNNING, status="in_progress", key=key))
    job.lookups = lookups
    assert verdict("lookup", job, lookup=row) == told


def test_a_window_that_is_not_the_one_asked_for_differs() -> None:
    job = looks(Look(id="b", state=State.RUNNING, status="x", created_at=100, expires_at=100 + 30 * 86_400))
    assert verdict("windows", job) == "differs"


def test_what_no_run_can_show_is_never_said_to_hold() -> None:
    assert {verdict(name, looks(running(1))) for name in ("price", "results_kept", "after_expiry", "room")} == {
        "not seen"
    }
