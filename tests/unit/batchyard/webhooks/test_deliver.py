"""One event for one endpoint: sent until it is taken, and never again after that."""

import time

import pytest
from standardwebhooks.webhooks import Webhook

from batchyard.api import webhook_endpoints
from batchyard.domain import webhook_delivery
from batchyard.domain.errors import DeliveryFailed, StaleRecord
from batchyard.domain.webhook_delivery import Delivery, DeliveryRequest, event_of
from batchyard.webhooks.deliver import GONE, deliver, end_delivery
from tests.fakes.batches import BATCH_ID, NOW
from tests.fakes.services import MemoryServices

EVENT = event_of(BATCH_ID, "batch.completed", NOW)
BODY = {"name": "ci", "url": "https://hooks.example.com/", "event_types": ["batch.completed"]}


class Due:
    """Services with an endpoint and a delivery that is due to it."""

    def __init__(self) -> None:
        self.services = MemoryServices()
        made = webhook_endpoints.create_webhook_endpoint(self.services, "acme", BODY)
        self.endpoint_id, self.secret = made["id"], made["signing_secret"]
        self.order = DeliveryRequest("acme", self.endpoint_id, EVENT)
        self.services.webhook_store.begin(webhook_delivery.new(EVENT, "acme", self.endpoint_id, NOW))

    @property
    def state(self) -> Delivery:
        return self.services.webhook_store.delivery(self.endpoint_id, EVENT)


@pytest.fixture
def due() -> Due:
    return Due()


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_an_event_that_is_taken_is_delivered_and_never_sent_again(due: Due, status: int) -> None:
    due.services.webhook_sender.answers = [status]
    assert deliver(due.services, due.order) == "delivered"
    assert deliver(due.services, due.order) == "delivered"
    assert len(due.services.webhook_sender.posted) == 1
    assert (due.state.attempts, due.state.last_status, due.state.delivered_at) == (1, status, NOW)


@pytest.mark.parametrize("status", [199, 300, 301, 302, 307, 308, 400, 404, 410, 429, 500, 503])
def test_an_event_that_is_not_taken_is_to_be_sent_again(due: Due, status: int) -> None:
    due.services.webhook_sender.answers = [status]
    with pytest.raises(DeliveryFailed):
        deliver(due.services, due.order)
    assert (due.state.state, due.state.attempts, due.state.last_status) == ("pending", 1, status)
    assert due.state.delivered_at is None


def test_where_there_is_no_answer_the_state_says_why(due: Due) -> None:
    due.services.webhook_sender.answers = ["hooks.example.com leads to an address that is not public."]
    with pytest.raises(DeliveryFailed):
        deliver(due.services, due.order)
    assert (due.state.last_status, due.state.last_error) == (
        None,
        "hooks.example.com leads to an address that is not public.",
    )


def test_each_try_has_the_same_id_and_body_and_a_time_and_signature_of_its_own(due: Due) -> None:
    due.services.webhook_sender.answers = [500]
    due.services.now_is = time.time() - 3 * 3_600
    with pytest.raises(DeliveryFailed):
        deliver(due.services, due.order)
    due.services.now_is = time.time()
    assert deliver(due.services, due.order) == "delivered"
    (_, first, body), (_, second, again) = due.services.webhook_sender.posted
    assert (first["webhook-id"], body) == (second["webhook-id"], again)
    assert first["webhook-signature"] != second["webhook-signature"]
    assert Webhook(due.secret).verify(again, second)
    assert due.state.attempts == 2
    assert due.state.last_error is None


def test_what_is_given_up_has_failed_with_the_reason_of_the_last_try(due: Due) -> None:
    due.services.webhook_sender.answers = [500]
    with pytest.raises(DeliveryFailed):
        deliver(due.services, due.order)
    assert end_delivery(due.services, due.order) == "failed"
    assert (due.state.state, due.state.last_status) == ("failed", 500)


def test_what_was_delivered_is_not_given_up(due: Due) -> None:
    deliver(due.services, due.order)
    assert end_delivery(due.services, due.order) == "delivered"
    assert due.state.state == "delivered"


def test_a_deleted_endpoint_is_told_no_more_and_the_delivery_ends(due: Due) -> None:
    webhook_endpoints.delete_webhook_endpoint(due.services, "acme", due.endpoint_id)
    assert deliver(due.services, due.order) == "failed"
    assert due.state.last_error == GONE
    assert due.services.webhook_sender.posted == []


def test_an_endpoint_that_was_changed_is_told_where_it_is_now(due: Due) -> None:
    webhook_endpoints.update_webhook_endpoint(
        due.services, "acme", due.endpoint_id, {"url": "https://new.example.com/"}
    )
    deliver(due.services, due.order)
    assert [url for url, _, _ in due.services.webhook_sender.posted] == ["https://new.example.com/"]


def test_a_url_that_today_s_rules_refuse_is_not_called(due: Due) -> None:
    before = due.services.webhook_store.endpoint("acme", due.endpoint_id)
    due.services.webhook_store.change(before, url="http://127.0.0.1/")
    with pytest.raises(DeliveryFailed, match="https"):
        deliver(due.services, due.order)
    assert due.services.webhook_sender.posted == []


def test_an_attempt_counts_before_it_is_made_so_that_one_that_dies_is_seen(due: Due) -> None:
    due.services.webhook_sender.post = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]  # a worker that dies
    with pytest.raises(KeyboardInterrupt):
        deliver(due.services, due.order)
    assert (due.state.state, due.state.attempts) == ("pending", 1)


def test_a_worker_that_fails_while_another_succeeds_leaves_the_success(due: Due) -> None:
    other = due.services.webhook_store.delivery(due.endpoint_id, EVENT)

    def meanwhile(url: str, headers: dict[str, str], body: bytes) -> int:  # noqa: ARG001 - as the real one
        due.services.webhook_store.note(other, state="delivered", last_status=204)
        return 500

    due.services.webhook_sender.post = meanwhile  # type: ignore[method-assign]  # what another worker does meanwhile
    with pytest.raises(DeliveryFailed):
        deliver(due.services, due.order)
    assert (due.state.state, due.state.last_status) == ("delivered", 204)
    with pytest.raises(StaleRecord):
        due.services.webhook_store.attempt(other, NOW)
