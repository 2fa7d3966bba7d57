"""Tell API Gateway whose key a request carries."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from batchyard import api_keys, yard
from batchyard.log import logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Take an authorizer event (payload 2.0) and answer in the simple form, with the tenant as context."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    tenant = api_keys.tenant_of(yard.current().records, headers.get("authorization", ""))
    return {"isAuthorized": tenant is not None, "context": {"tenant": tenant or ""}}
