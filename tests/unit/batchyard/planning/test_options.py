"""What may be asked for beside OpenAI's own members, in a body or as user metadata."""

from typing import Any

import pytest

from batchyard.planning import options

PROVIDERS = ("openai", "groq")


def test_options_are_picked_from_a_body() -> None:
    body = {"on_invalid": "skip", "dry_run": True, "max_cost_usd": 0.1, "endpoint": "/v1/responses"}
    assert options.of_body(body) == {"on_invalid": "skip", "dry_run": True, "max_cost_usd": "0.1"}
    assert options.of_body({"on_invalid": None, "dry_run": None, "max_cost_usd": None}) == {}


def test_options_are_picked_from_user_metadata() -> None:
    metadata = {"on-invalid": "skip", "dry-run": "True", "max-cost-usd": "12.50", "metadata": "{}"}
    assert options.of_metadata(metadata) == {"on_invalid": "skip", "dry_run": True, "max_cost_usd": "12.50"}
    assert options.of_metadata({"dry-run": "false"}) == {"dry_run": False}


def test_a_body_may_spell_options_as_user_metadata_does() -> None:
    spelled = options.spelled({"dry-run": True, "max-cost-usd": 2, "on-invalid": None, "completion-window": "7d"})
    assert spelled == {"dry_run": True, "max_cost_usd": 2, "completion-window": "7d"}
    assert options.spelled({"dry_run": None, "dry-run": True}) == {"dry_run": True}
    assert options.spelled({"dry-run": True, "dry_run": None}) == {"dry_run": True}


def test_an_option_named_in_two_spellings_is_refused() -> None:
    error = options.twice({"dry_run": False, "dry-run": True})
    assert error is not None
    assert (error.code, error.param) == ("invalid_value", "dry_run")
    assert options.twice({"dry_run": None, "dry-run": True, "max_cost_usd": 1}) is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("dryrun", "dry_run"), ("DryRun", "dry_run"), ("Dry_Run", "dry_run"), ("dry.run", "dry_run"), ("dry_rum", "dry_run"),
        ("dry-runs", "dry_run"), ("max_cost", "max_cost_usd"), ("maxCostUsd", "max_cost_usd"),
        ("max_costs_usd", "max_cost_usd"),
        ("max-cost-eur", "max_cost_usd"), ("onInvalid", "on_invalid"), ("on_invalids", "on_invalid"),
        ("metdata", "metadata"), ("meta_data", "metadata"), ("output_expire_after", "output_expires_after"),
    ],
)  # fmt: skip
def test_a_name_close_to_an_option_is_refused_with_the_one_that_was_meant(name: str, meant: str) -> None:
    error = options.misspelled(["endpoint", name])
    assert error is not None
    assert (error.code, error.param) == ("unknown_parameter", name)
    assert error.message == f"Unknown parameter: '{name}'. Did you mean '{meant}'?"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("dryrun", "dry-run"), ("onvalid", "on-invalid"), ("maxcost", "max-cost-usd"),
        ("completion-windw", "completion-window"),
        ("completionwindow", "completion-window"), ("completion-windows", "completion-window"), ("meta-data", "metadata"),
    ],
)  # fmt: skip
def test_user_metadata_close_to_what_an_upload_may_say_is_refused_in_its_spelling(name: str, meant: str) -> None:
    error = options.misspelled(["mtime", name], options.OF_UPLOADS)
    assert error is not None
    assert error.message == f"Unknown parameter: '{name}'. Did you mean '{meant}'?"


@pytest.mark.parametrize(
    "name",
    [
        *options.OF_UPLOADS, "mtime", "s3cmd-attrs", "sha256", "file-owner", "hdi-isfolder", "project", "output-expires-after",
        "window", "endpoint", "metadata-directive", "dataset-metadata",
    ],
)  # fmt: skip
def test_other_user_metadata_is_harmless(name: str) -> None:
    assert options.misspelled([name], options.OF_UPLOADS) is None


@pytest.mark.parametrize(
    "name",
    [
        *options.NAMES, *(name.replace("_", "-") for name in options.NAMES), "input_file_id", "endpoint", "completion_window",
        "completion-window", "metadata", "output_expires_after", "model", "max_tokens", "run", "dry", "cost", "user", "",
        "mtime", "atime", "s3cmd-attrs", "sha256", "md5chksum", "cb-modifiedtime", "file-owner", "goog-reserved-file-mtime",
        "x" * 100_000, "ü", "\ud800",
    ],
)  # fmt: skip
def test_any_other_name_is_harmless(name: str) -> None:
    assert options.misspelled([name]) is None


@pytest.mark.parametrize(
    "named",
    [
        {}, {"on_invalid": "refuse"}, {"on_invalid": "skip"}, {"dry_run": True}, {"dry_run": False}, {"max_cost_usd": 1},
        {"provider": "groq"}, {"provider": None},
        {"max_cost_usd": 0.000001}, {"max_cost_usd": 1e9}, {"max_cost_usd": 12.5}, {"max_cost_usd": "12.50"},
        {"max_cost_usd": 999_999_999_999}, {"max_cost_usd": 1e-7},
    ],
)  # fmt: skip
def test_what_can_be_followed_is_not_wrong(named: dict[str, Any]) -> None:
    assert options.wrong(options.of_body(named), PROVIDERS) is None


WRONG: dict[str, tuple[str, list[Any]]] = {
    "on_invalid": ("invalid_value", ["SKIP", "", True, 1, "ignore", []]),
    "dry_run": ("invalid_type", ["true", 1, [], ""]),
    "max_cost_usd": (
        "invalid_value",
        [
            0,
            -1,
            True,
            [],
            float("inf"),
            float("nan"),
            10**30,
            10**400,
            1e300,
            1e-300,
            "1e400",
            "+1_0",
            "\u0661\u0662",
            "",
            "5 ",
        ],
    ),
}


@pytest.mark.parametrize(
    ("named", "code"), [({name: value}, code) for name, (code, values) in WRONG.items() for value in values]
)
def test_anything_else_in_a_body_is_told_with_its_name(named: dict[str, Any], code: str) -> None:
    error = options.wrong(options.of_body(named), PROVIDERS)
    assert error is not None
    assert ([error.param], error.code) == (list(named), code)


@pytest.mark.parametrize(
    "metadata",
    [
        {"on-invalid": "no"}, {"dry-run": "yes"}, {"max-cost-usd": "0"}, {"max-cost-usd": "NaN"}, {"max-cost-usd": "$5"},
        {"max-cost-usd": "1" * 30}, {"max-cost-usd": ""}, {"max-cost-usd": "1e400"}, {"max-cost-usd": "1e5"},
        {"max-cost-usd": "+1"}, {"max-cost-usd": "1_0"}, {"max-cost-usd": "+1_0"}, {"max-cost-usd": "\u0661\u0662"},
        {"max-cost-usd": "\u0661\u0662.\u0665"}, {"max-cost-usd": "²"}, {"max-cost-usd": " 5"}, {"max-cost-usd": "5\n"},
        {"max-cost-usd": "-1"}, {"max-cost-usd": "1,5"}, {"max-cost-usd": "1."}, {"max-cost-usd": ".5"},
        {"max-cost-usd": "Infinity"}, {"max-cost-usd": "-inf"}, {"max-cost-usd": "sNaN"}, {"max-cost-usd": "0x10"},
        {"max-cost-usd": "0.000"}, {"max-cost-usd": "1.2.3"}, {"max-cost-usd": "1" * 13}, {"max-cost-usd": "0." + "1" * 13},
    ],
)  # fmt: skip
def test_anything_else_in_user_metadata_is_told_with_its_name(metadata: dict[str, str]) -> None:
    error = options.wrong(options.of_metadata(metadata), PROVIDERS)
    assert error is not None
    assert [error.param] == [name.replace("-", "_") for name in metadata]


def test_metadata_is_measured_in_characters_not_bytes() -> None:
    assert options.check_metadata({"🚂" * 64: "🚂" * 512}) is None


@pytest.mark.parametrize(
    ("given", "text"), [(0.1, "0.1"), (1e-7, "0.0000001"), (1e9, "1000000000"), (5, "5"), (5.0, "5")]
)
def test_an_amount_is_kept_in_digits(given: float, text: str) -> None:
    assert options.of_body({"max_cost_usd": given}) == {"max_cost_usd": text}


def test_a_provider_that_there_is_not_is_told_with_those_that_there_are() -> None:
    error = options.wrong({"provider": "grok"}, PROVIDERS)
    assert error is not None
    assert (error.code, error.param) == ("invalid_value", "provider")
    assert error.message == "There is no provider 'grok'. There are: openai, groq."
    error = options.wrong({"provider": 7}, PROVIDERS)
    assert error is not None
    assert error.code == "invalid_type"
