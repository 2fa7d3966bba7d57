import pytest

from local.errors import ParameterError, UsageError
from local.stack.parameters import Parameter, overrides, parameters

TEMPLATE = {
    "Parameters": {
        "MaxAttempts": {
            "Type": "Number",
            "Default": 3,
            "MinValue": 1,
            "MaxValue": 20,
            "Description": "How often\n  at most.",
        },
        "LogLevel": {"Type": "String", "Default": "INFO", "AllowedValues": ["DEBUG", "INFO"]},
        "Profile": {"Type": "String", "Default": "", "AllowedValues": ["", "openai", "azure"]},
        "LogDays": {"Type": "Number", "AllowedValues": [1, 30]},
        "ProviderBaseUrl": {
            "Type": "String",
            "AllowedPattern": "^https?://.+$",
            "ConstraintDescription": "must be a URL",
        },
        "ProviderApiKey": {"Type": "String", "NoEcho": True, "MinLength": 8},
    }
}
KNOWN = parameters(TEMPLATE)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("MaxAttempts", "BATCHYARD_MAX_ATTEMPTS"),
        ("ProviderBaseUrl", "BATCHYARD_PROVIDER_BASE_URL"),
        ("MaxEmbeddingInputsPerShard", "BATCHYARD_MAX_EMBEDDING_INPUTS_PER_SHARD"),
    ],
)
def test_a_parameter_is_set_by_its_name_in_snake_case(name: str, variable: str) -> None:
    assert Parameter(name).variable == variable


def test_a_parameter_tells_its_default_and_its_description_on_one_line() -> None:
    known = KNOWN["BATCHYARD_MAX_ATTEMPTS"]
    assert (known.name, known.kind, known.default, known.description) == (
        "MaxAttempts",
        "Number",
        "3",
        "How often at most.",
    )


def test_given_values_are_found_among_other_variables() -> None:
    environment = {"BATCHYARD_MAX_ATTEMPTS": "5", "HOME": "/root", "BATCHYARD_LOG_LEVEL": "DEBUG"}
    assert overrides(KNOWN, environment) == {"MaxAttempts": "5", "LogLevel": "DEBUG"}


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("BATCHYARD_MAX_ATTEMPTS", "many", "BATCHYARD_MAX_ATTEMPTS: 'many' is not a number."),
        ("BATCHYARD_MAX_ATTEMPTS", "nan", "BATCHYARD_MAX_ATTEMPTS: 'nan' is not a number."),
        ("BATCHYARD_MAX_ATTEMPTS", "1.5", "BATCHYARD_MAX_ATTEMPTS: '1.5' is not a whole number."),
        ("BATCHYARD_MAX_ATTEMPTS", "0", "BATCHYARD_MAX_ATTEMPTS: '0' is less than 1."),
        ("BATCHYARD_MAX_ATTEMPTS", "21", "BATCHYARD_MAX_ATTEMPTS: '21' is more than 20."),
        ("BATCHYARD_LOG_LEVEL", "LOUD", "BATCHYARD_LOG_LEVEL: 'LOUD' is none of DEBUG, INFO."),
        ("BATCHYARD_LOG_DAYS", "2", "BATCHYARD_LOG_DAYS: '2' is none of 1, 30."),
        ("BATCHYARD_PROFILE", "opnai", "BATCHYARD_PROFILE: 'opnai' is none of openai, azure. Did you mean openai?"),
        ("BATCHYARD_PROVIDER_API_KEY", "short", "BATCHYARD_PROVIDER_API_KEY: the value is shorter than 8."),
        ("BATCHYARD_PROVIDER_BASE_URL", "ftp://x", "BATCHYARD_PROVIDER_BASE_URL: 'ftp://x' must be a URL."),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_reason(variable: str, value: str, complaint: str) -> None:
    with pytest.raises(ParameterError) as caught:
        overrides(KNOWN, {variable: value})
    assert str(caught.value) == complaint


def test_a_secret_value_that_does_not_fit_is_not_repeated() -> None:
    with pytest.raises(ParameterError) as caught:
        overrides(KNOWN, {"BATCHYARD_PROVIDER_API_KEY": "sk-abc"})
    assert "sk-abc" not in str(caught.value)


def test_an_unknown_variable_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(UsageError, match=r"BATCHYARD_MAX_ATEMPTS .*Did you mean BATCHYARD_MAX_ATTEMPTS\?"):
        overrides(KNOWN, {"BATCHYARD_MAX_ATEMPTS": "1"})


def test_every_fault_is_told_on_a_line_of_its_own() -> None:
    with pytest.raises(ParameterError) as caught:
        overrides(KNOWN, {"BATCHYARD_MAX_ATTEMPTS": "0", "BATCHYARD_LOG_LEVEL": "LOUD", "BATCHYARD_NO": ""})
    assert [line.split()[0] for line in str(caught.value).splitlines()] == [
        "BATCHYARD_MAX_ATTEMPTS:",
        "BATCHYARD_LOG_LEVEL:",
        "BATCHYARD_NO",
    ]


BOUNDS = parameters(
    {
        "Parameters": {
            "PollFloorSeconds": {"Type": "Number", "Default": 30},
            "PollCeilingSeconds": {"Type": "Number", "Default": 60},
            "RetryFloorSeconds": {"Type": "Number", "Default": 30},
            "RetryCeilingSeconds": {"Type": "Number", "Default": 60},
        }
    }
)


@pytest.mark.parametrize("what", ["POLL", "RETRY"])
@pytest.mark.parametrize(("ceiling", "shown"), [({"CEILING": "5"}, 5), ({}, 60)])
def test_a_floor_above_its_ceiling_is_refused_with_both_names(what: str, ceiling: dict[str, str], shown: int) -> None:
    given = {f"BATCHYARD_{what}_{bound}_SECONDS": value for bound, value in {"FLOOR": "100", **ceiling}.items()}
    with pytest.raises(ParameterError) as caught:
        overrides(BOUNDS, given)
    floor, over = f"BATCHYARD_{what}_FLOOR_SECONDS", f"BATCHYARD_{what}_CEILING_SECONDS"
    assert str(caught.value) == f"{floor} (100) is above {over} ({shown}). Lower the one or raise the other."


@pytest.mark.parametrize("bounds", [{"FLOOR": "9", "CEILING": "9"}, {"CEILING": "1"}, {"FLOOR": "60"}])
def test_a_floor_up_to_its_ceiling_and_a_low_ceiling_alone_are_taken(bounds: dict[str, str]) -> None:
    given = {f"BATCHYARD_POLL_{bound}_SECONDS": value for bound, value in bounds.items()}
    assert sorted(overrides(BOUNDS, given).values()) == sorted(bounds.values())
