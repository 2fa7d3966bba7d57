"""A metric is a line of the log that CloudWatch reads, and never costs the work that it counts."""

import json
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from batchyard.observability import METRICS, VALUES, logger, publish


def lines(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if "CloudWatchMetrics" in line]


@pytest.fixture(autouse=True)
def of_a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "stack-1")


def test_values_are_one_line_with_the_sets_of_dimensions_that_are_declared(capsys: pytest.CaptureFixture[str]) -> None:
    publish({"DollarsSpent": 0.25}, model="gpt-4.1-mini", provider="openai")
    publish({"LinesCompleted": 3, "TokenWaitSeconds": 7, "LinesFailed": 1})
    spent, several = lines(capsys.readouterr().out)
    assert spent["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "Batchyard",
            "Dimensions": [["service"], ["service", "model"], ["service", "provider"]],
            "Metrics": [{"Name": "DollarsSpent", "Unit": "None"}],
        }
    ]
    assert (spent["service"], spent["model"], spent["DollarsSpent"]) == ("stack-1", "gpt-4.1-mini", [0.25])
    ((described),) = several["_aws"]["CloudWatchMetrics"]
    assert {each["Name"]: each["Unit"] for each in described["Metrics"]} == {
        "LinesCompleted": "Count", "TokenWaitSeconds": "Seconds", "LinesFailed": "Count",
    }  # fmt: skip


def test_nothing_is_published_where_there_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    publish({})
    assert capsys.readouterr().out == ""


def test_a_line_of_metrics_is_found_with_the_lines_of_its_batch(capsys: pytest.CaptureFixture[str]) -> None:
    logger.append_keys(batch_id="batch_1", shard=2, tenant="nobody's business")
    publish({"GivenUp": 1})
    logger.clear_state()
    publish({"GivenUp": 1})
    followed, other = lines(capsys.readouterr().out)
    assert (followed["batch_id"], followed["shard"]) == ("batch_1", 2)
    assert not {"batch_id", "shard", "tenant"} & other.keys()
    assert "tenant" not in followed


@pytest.mark.parametrize("values", [{"Undeclared": 1}, {"GivenUp": "many"}, {"GivenUp": 10**400}])
def test_what_cannot_be_published_is_logged_and_stops_nobody(
    values: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    publish(values)
    assert [record.message for record in caplog.records] == ["metrics not published"]


def test_a_log_that_is_gone_stops_nobody(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    class Gone:
        def write(self, _text: str) -> int:
            raise OSError("no log")

    monkeypatch.setattr(sys, "stdout", Gone())
    publish({"GivenUp": 1})
    assert [record.message for record in caplog.records] == ["metrics not published"]


def test_threads_that_publish_at_once_do_not_mix_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: publish({"ProviderCallTime": at}, call="send"), range(200)))
    told = lines(capsys.readouterr().out)
    assert sorted(line["ProviderCallTime"][0] for line in told) == list(range(200))


def test_no_number_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    publish({"QuotaUse": math.inf}, quota="open_batches")
    assert "Infinity" not in capsys.readouterr().out


def test_each_dimension_has_few_values_and_none_is_a_tenant() -> None:
    dimensions = {name for metric in METRICS.values() for by in metric.by for name in by}
    assert dimensions == {*VALUES, "model", "provider"}
    assert max(map(len, VALUES.values())) <= 10
    series = sum(
        math.prod(len(VALUES.get(name, [""])) for name in by) for metric in METRICS.values() for by in metric.by
    )
    assert series <= 70
