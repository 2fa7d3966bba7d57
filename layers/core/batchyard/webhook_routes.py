"""The routes of `/v1/webhooks`."""

from typing import Any

from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from batchyard import yard
from batchyard.front_door import headers, raw_body
from batchyard.provider_webhook import receive

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # powertools leaves it untyped


@router.post("/v1/webhooks/provider")
def receive_provider_webhook() -> dict[str, Any]:
    """ReceiveProviderWebhook."""
    return receive(yard.current(), headers(), raw_body())
