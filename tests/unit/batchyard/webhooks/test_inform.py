"""People are told what they asked for, once, and few times an hour."""

import json

import msgspec
import pytest

from batchyard.adapters.event_bus import LONGEST_SUBJECT, EventBus
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import DeliveryFailed
from batchyard.domain.numbers import HOUR
from batchyard.domain.webhook_delivery import DELIVERED, FAILED, DeliveryRequest
from batchyard.webhooks.deliver import deliver
from batchyard.webhooks.inform import inform
from tests.fakes.batches import batch
from tests.fakes.services import MemoryServices
from tests.unit.batchyard.webhooks.test_notification import detail

ALL = "completed,failed,paused,budget"
EACH = [
    ("Batch Completed", "batch-completed", "completed"), ("Batch Failed", "batch-failed", "failed"),
    ("Batch Paused", "batch-paused", "paused"), ("Budget Warning", "budget-warning", "budget"),
]  # fmt: skip


def told_to_chat(made: MemoryServices) -> list[DeliveryRequest]:
    return [made.webhook_executions.payloads[name] for name in dict.fromkeys(made.webhook_executions.started)]


@pytest.mark.parametrize(("detail_type", "case", "kind"), EACH)
def test_who_asks_for_a_kind_gets_it_by_mail_and_in_the_chat_and_who_does_not_gets_nothing(
    detail_type: str, case: str, kind: str
) -> None:
    made = MemoryServices(notify_on=kind, notify_chat="slack")
    assert inform(made, detail_type, detail(case))
    assert [subject for subject, _ in made.event_bus.mails] == [
        msgspec.json.decode(request.event.data or "")["title"] for request in told_to_chat(made)
    ]
    others = MemoryServices(notify_on=",".join(each for each in ALL.split(",") if each != kind), notify_chat="slack")
    assert inform(others, detail_type, detail(case)) is None
    assert (others.event_bus.mails, others.webhook_executions.started) == ([], [])


def test_by_itself_the_end_of_a_good_batch_is_not_told() -> None:
    assert inform(MemoryServices(), "Batch Completed", detail("batch-completed")) is None


def test_an_event_of_another_kind_is_told_to_nobody() -> None:
    for notify_on in (ALL, ""):
        made = MemoryServices(notify_on=notify_on)
        assert inform(made, "Batch Created", detail("batch-completed")) is None
        assert made.event_bus.mails == []


def test_a_dry_run_is_told_to_nobody_for_a_person_looks_at_it() -> None:
    made = MemoryServices(notify_on=ALL)
    assert inform(made, "Batch Completed", detail("batch-completed", dry_run=True)) is None


def test_without_a_chat_no_execution_is_started() -> None:
    made = MemoryServices()
    assert inform(made, "Batch Paused", detail("batch-paused"))
    assert (len(made.event_bus.mails), made.webhook_executions.started) == (1, [])


def test_the_reason_of_a_failure_is_read_from_the_record() -> None:
    made = MemoryServices()
    made.batch_store.create_batch(batch(errors=[BatchError("invalid_json", "Line 3 is no JSON.")], errors_total=1))
    inform(made, "Batch Failed", detail("batch-failed"))
    assert "Why: Line 3 is no JSON." in made.event_bus.mails[0][1]


def test_a_pause_that_comes_and_goes_is_told_once_and_another_reason_once_more() -> None:
    made = MemoryServices()
    for at in range(9):
        inform(made, "Batch Paused", detail("batch-paused", paused=f"No room {at} times. It has been so since {at}."))
        made.wait(HOUR)
    assert len(made.event_bus.mails) == 1
    inform(made, "Batch Paused", detail("batch-paused", paused="The provider refused our key: 401."))
    assert len(made.event_bus.mails) == 2


def test_a_thousand_batches_that_fail_at_once_make_few_mails_and_the_last_says_so() -> None:
    made = MemoryServices(max_notifications_per_hour=3, notify_chat="slack")
    for at in range(1_000):
        inform(made, "Batch Failed", detail("batch-failed", id=f"batch_{at}"))
    assert len(made.event_bus.mails) == len(told_to_chat(made)) == 3
    assert ["last notification of this hour" in text for _, text in made.event_bus.mails] == [False, False, True]
    inform(made, "Batch Failed", detail("batch-failed", id="batch_999"))  # told twice on the bus
    made.wait(HOUR)
    inform(made, "Batch Failed", detail("batch-failed", id="batch_1"))
    assert len(made.event_bus.mails) == 3
    inform(made, "Batch Failed", detail("batch-failed", id="batch_of_the_next_hour"))
    assert len(made.event_bus.mails) == 4


@pytest.mark.parametrize(("chat", "member"), [("slack", "text"), ("teams", "attachments")])
def test_the_chat_is_called_in_its_own_shape_unsigned_and_once(chat: str, member: str) -> None:
    made = MemoryServices(notify_chat=chat)
    inform(made, "Batch Paused", detail("batch-paused"))
    (request,) = told_to_chat(made)
    assert deliver(made, request) == deliver(made, request) == DELIVERED
    ((url, headers, body),) = made.webhook_sender.posted
    assert url == made.chat_secret()
    assert headers.keys() == {"content-type", "user-agent"}
    assert member in json.loads(body)


def test_a_chat_that_refuses_is_tried_again_and_no_message_names_its_address() -> None:
    made = MemoryServices(notify_chat="slack")
    inform(made, "Batch Paused", detail("batch-paused"))
    (request,) = told_to_chat(made)
    made.webhook_sender.answers = [302, 429]
    for status in (302, 429):
        with pytest.raises(DeliveryFailed, match=f"chat answered {status}") as caught:
            deliver(made, request)
        assert "made-up" not in str(caught.value)
    assert deliver(made, request) == DELIVERED


def test_a_private_address_of_a_chat_is_refused() -> None:
    made = MemoryServices(notify_chat="slack")
    made.chat_secret.text = "https://10.0.0.1/services/x"
    inform(made, "Batch Paused", detail("batch-paused"))
    with pytest.raises(DeliveryFailed, match="public address"):
        deliver(made, told_to_chat(made)[0])
    assert made.webhook_sender.posted == []


def test_a_chat_whose_address_is_not_stored_yet_ends_the_delivery_and_says_what_to_do() -> None:
    made = MemoryServices(notify_chat="slack")
    made.chat_secret.text = ""
    inform(made, "Batch Paused", detail("batch-paused"))
    assert deliver(made, told_to_chat(made)[0]) == FAILED
    (delivery,) = made.webhook_store.told.values()
    assert "make provider-key CHAT=1" in (delivery.last_error or "")


def test_a_subject_is_one_that_sns_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, str] = {}

    class Sns:
        def publish(self, **request: str) -> None:
            sent.update(request)

    monkeypatch.setattr("batchyard.adapters.event_bus.client", lambda _: Sns())
    EventBus("bus", object(), topic="arn").notify("Bücher\nvon " + "x" * 200, "Bücher")  # type: ignore[arg-type]  # not called
    assert sent["Subject"].startswith("B?cher?von xxx")
    assert len(sent["Subject"]) == LONGEST_SUBJECT
    assert (sent["TopicArn"], sent["Message"]) == ("arn", "Bücher")
