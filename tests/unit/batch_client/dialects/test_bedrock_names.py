"""Keys and labels in the characters that Bedrock takes; the patterns are those of botocore 1.44.8."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_client.dialects.bedrock_names import model_and_type, name_of, read_token, token_of
from batchyard.domain.batch import derived_id
from tests.unit.template.documents import resources

NAME = r"[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9\+\-\.]){0,63}"
TOKEN = r"[a-zA-Z0-9]{1,256}(-*[a-zA-Z0-9]){0,256}"
KEY = "batch_0123456789abcdef0123456789abcdef/7/12"
LABELS = {
    "batchyard_batch": "batch_0123456789abcdef0123456789abcdef",
    "batchyard_stack": "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f",
}
PROFILE = "arn:aws:bedrock:us-east-1:1:inference-profile/us.a"
texts = st.text(max_size=40)
keys = st.from_regex(r"\Abatch_[0-9a-f]{1,32}/[0-9]{1,9}/[0-9]{1,9}\Z")


def fits(pattern: str, longest: int, text: str) -> bool:
    return len(text) <= longest and re.fullmatch(pattern, text) is not None


def test_a_key_of_ours_can_be_read_in_the_name_and_is_whole_in_the_token() -> None:
    assert name_of(KEY) == "batch+0123456789abcdef0123456789abcdef.7.12"
    assert fits(TOKEN, 256, token_of(KEY, LABELS))
    assert read_token(token_of(KEY, LABELS)) == (KEY, LABELS)


@given(texts)
def test_any_key_makes_a_name_and_a_token_that_bedrock_takes(key: str) -> None:
    assert fits(NAME, 63, name_of(key))
    assert fits(TOKEN, 256, token_of(key, LABELS))


@given(keys, keys)
def test_two_keys_have_two_names_and_two_tokens(one: str, other: str) -> None:
    assert (name_of(one) == name_of(other)) == (one == other) == (token_of(one, {}) == token_of(other, {}))


@given(st.text("ab_/-+.", min_size=1, max_size=6), st.text("ab_/-+.", min_size=1, max_size=6))
def test_no_two_texts_are_alike(one: str, other: str) -> None:
    one, other = f"k{one}", f"k{other}"
    assert (name_of(one) == name_of(other)) == (one == other) == (token_of(one, {}) == token_of(other, {}))


@given(keys, st.dictionaries(st.text(min_size=1, max_size=5), st.text("a1_-/é\n", min_size=1, max_size=6), max_size=2))
def test_what_a_token_says_is_read_again(key: str, labels: dict[str, str]) -> None:
    assert read_token(token_of(key, labels)) == (key, labels)


def test_labels_that_do_not_fit_are_left_out_and_a_key_that_does_not_is_a_hash() -> None:
    assert read_token(token_of(KEY, {"a": "x" * 250})) == (KEY, {})
    assert read_token(token_of(KEY, {"a": ""})) == (KEY, {})
    assert token_of("k" * 300, {}) != token_of("k" * 301, {})
    assert len(name_of("k" * 64)) == 63


@pytest.mark.parametrize(
    "token", ["", "a--b", "-", "----", "a--b--c--d", "-zz", "-ff", "0b8f7b1e-8f0c-4f6d-9a43-1d6f6d9d7e55"]
)
def test_the_token_of_another_is_no_key_of_ours(token: str) -> None:
    assert not read_token(token)[0].startswith("batch_")


@pytest.mark.parametrize(
    ("endpoint", "found"),
    [
        ("/model/anthropic.claude-haiku-4-5/invoke", ("anthropic.claude-haiku-4-5", "invoke")),
        ("/model/amazon.nova-lite-v1:0/converse", ("amazon.nova-lite-v1:0", "converse")),
        ("/model/amazon.nova-lite-v1%3A0/converse", ("amazon.nova-lite-v1:0", "converse")),
        (f"/model/{PROFILE}/invoke", (PROFILE, "invoke")),
        ("/model//invoke", None), ("/model/a/invoke-with-response-stream", None), ("/v1/chat/completions", None),
    ],
)  # fmt: skip
def test_a_model_is_read_from_the_url(endpoint: str, found: tuple[str, str] | None) -> None:
    assert model_and_type(endpoint) == found


@pytest.mark.parametrize("batch_id", [derived_id("a", "b"), f"batch_{'f' * 32}"])
@pytest.mark.parametrize("shard", [0, 99_999])
def test_the_rule_about_jobs_hears_of_each_of_ours_by_its_name(batch_id: str, shard: int) -> None:
    (named,) = resources("AWS::Events::Rule")["BedrockJobEnded"]["EventPattern"]["detail"]["batchJobName"]
    assert named == {"prefix": name_of("batch_")}
    assert name_of(f"{batch_id}/{shard}/1000").startswith(named["prefix"])
