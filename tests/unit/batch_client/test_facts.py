"""What each row of the table of services must be, and where it must come from."""

import re
from pathlib import Path

import msgspec
import pytest

from batch_client import PROFILES, Facts, Profile
from tests.unit.batch_client.fake_service import BATCH, answer, client_of

each_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
ROOT = Path(__file__).parents[3]
#: For people, and for what is yet to come: small rests that go together.
UNREAD = {"source", "mixed_models", "least_lines"}
HOURS = {"h": 1, "d": 24}


def hours(window: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,2})([hd])", window)
    assert found, f"{window} is no window"
    return int(found[1]) * HOURS[found[2]]


@each_profile
def test_a_row_keeps_to_the_schema(profile: Profile) -> None:
    assert msgspec.convert(msgspec.to_builtins(profile), Profile) == profile
    assert re.fullmatch(r"[a-z][a-z0-9-]*", profile.name)
    assert profile.title


def test_a_word_that_the_schema_does_not_know_is_refused() -> None:
    odd = msgspec.to_builtins(Facts()) | {"room": "dollars"}
    with pytest.raises(msgspec.ValidationError, match="room"):
        msgspec.convert(odd, Facts)


@each_profile
def test_each_row_names_a_document_or_a_client_library_and_its_date(profile: Profile) -> None:
    assert profile.facts.source, "a row without a source"
    for source in profile.facts.source.split(";"):
        assert re.search(r"[a-z]", source), f"{source!r} names nothing"
        assert re.search(r"\b20\d\d(-\d\d){0,2}\b|\b\d+\.\d+(\.\d+)?\b", source), f"{source!r} has no date or version"
    assert "dialects.md" not in profile.facts.source


@each_profile
def test_limits_are_limits(profile: Profile) -> None:
    facts = profile.facts
    assert facts.least_lines >= 1
    assert not facts.most_lines or facts.least_lines <= facts.most_lines
    assert not facts.most_embedding_lines or facts.most_embedding_lines < facts.most_lines
    assert not facts.most_line_bytes or facts.most_line_bytes < facts.most_bytes
    assert 0 < facts.price <= 1
    assert facts.room_size or facts.room != "jobs", "jobs that fill up without a number"
    assert not facts.room_size or facts.room in {"requests", "jobs"}


def test_each_fact_is_read_by_the_code_that_it_decides_for() -> None:
    """A fact that nothing reads decides nothing, and is a claim that no test can prove."""
    code = "".join(path.read_text("utf-8") for path in (ROOT / "layers").rglob("*.py"))
    read = {name for name in Facts.__struct_fields__ if re.search(rf"facts\.{name}\b|self\.{name}\b", code)}
    assert set(Facts.__struct_fields__) - read <= UNREAD


@each_profile
def test_windows_rise_and_a_range_has_two_ends(profile: Profile) -> None:
    windows = [hours(window) for window in profile.facts.windows]
    assert windows == sorted(set(windows))
    assert len(windows) == 2 or not profile.facts.windows_between


@each_profile
def test_a_lost_create_is_looked_up_as_the_service_can(profile: Profile) -> None:
    by_header = (
        profile.facts.lookup == "token" and profile.dialect == "openai"
    )  # another dialect has its own place for it
    assert bool(profile.idempotency_header) == by_header


def test_no_host_belongs_to_two_rows() -> None:
    hosts = [host for profile in PROFILES.values() for host in profile.hosts]
    assert len(hosts) == len(set(hosts))
    assert not [(one, other) for one in hosts for other in hosts if one != other and one.endswith("." + other)]


def test_a_service_that_nobody_knows_has_no_limits_of_ours() -> None:
    facts = PROFILES["compatible"].facts
    assert (facts.most_lines, facts.most_bytes, facts.most_inputs, facts.windows) == (0, 0, 0, ())


def test_a_client_tells_what_is_known_of_its_service() -> None:
    client, _ = client_of(answer(BATCH), profile="ovh")
    assert client.profile is PROFILES["ovh"]
