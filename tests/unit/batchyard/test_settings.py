"""The environment, read once, each variable named when it is wrong."""

import re

import msgspec
import pytest

from batchyard.domain.errors import SettingsError
from batchyard.settings import Settings, read

FIELDS = msgspec.structs.fields(Settings)
NUMBERS = [field.name for field in FIELDS if field.type is int]
TEXTS = [field.name for field in FIELDS if field.type is str]
REQUIRED = [field.name for field in FIELDS if field.required]
DEFAULTS = {field.name: field.default for field in FIELDS}
WHOLE = {
    **{name.upper(): f"<{name}>" for name in TEXTS},
    **{name.upper(): str(at) for at, name in enumerate(NUMBERS, 7)},
}


def test_every_field_comes_from_its_variable() -> None:
    settings = read(WHOLE)
    assert len(TEXTS) + len(NUMBERS) == len(FIELDS)
    assert {name: getattr(settings, name) for name in TEXTS} == {name: f"<{name}>" for name in TEXTS}
    assert [getattr(settings, name) for name in NUMBERS] == list(range(7, 7 + len(NUMBERS)))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name.upper()} is not set"):
        read({variable: value for variable, value in WHOLE.items() if variable != name.upper()})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["", "many", "1.5", "1e3", "0x10", "+1", "1_0", "\u0661\u0662", " 5", "1" * 400])
def test_a_variable_that_is_no_whole_number_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name.upper()} must be a whole number, not {re.escape(repr(text))}"):
        read({**WHOLE, name.upper(): text})


@pytest.mark.parametrize("name", sorted({field.name for field in FIELDS} - set(REQUIRED)))
def test_what_may_be_left_out_has_a_default(name: str) -> None:
    left = read({variable: value for variable, value in WHOLE.items() if variable != name.upper()})
    assert getattr(left, name) == DEFAULTS[name]


def test_other_variables_are_ignored() -> None:
    read_with_others = read({**WHOLE, "PATH": "/bin", "AWS_REGION": "eu-central-1"})
    assert msgspec.structs.asdict(read_with_others) == msgspec.structs.asdict(read(WHOLE))


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError, match="immutable type"):
        read(WHOLE).bucket = "other"  # type: ignore[misc]  # that is the point


def test_the_defaults_keep_the_provider_s_own_limits() -> None:
    assert DEFAULTS["max_requests_per_shard"] == DEFAULTS["max_embedding_inputs_per_shard"] == 50_000
    assert DEFAULTS["max_bytes_per_shard"] <= 200_000_000
