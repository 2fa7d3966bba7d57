"""Warnings to a tenant that its monthly budget is running out: each once in a month and budget, by the event bus.

A warning is taken before it is told, and noted after. A worker that dies in between leaves it to the next: the warning may
then come twice, with the same id, but it comes.
"""

from batchyard.budgets.spending import Month
from batchyard.costs.budget import WARNED_AT, BudgetWarning
from batchyard.observability import logger
from batchyard.services import Services


def warn(services: Services, tenant: str, month: Month | None, owner: str) -> None:
    """Tell the warnings that are due; `owner` names the step, which tells at once what its earlier try left untold."""
    if month is None:
        return
    due = [percent for percent in WARNED_AT if month.spent * 100 >= month.budget * percent]
    told = services.quota_store.told_warnings(tenant, month.name, month.budget) if due else set()
    for percent in due:
        if percent not in told:
            _tell(services, BudgetWarning(tenant, month.name, month.budget, percent), month, owner)


def _tell(services: Services, warning: BudgetWarning, month: Month, owner: str) -> None:
    since = services.quota_store.claim_warning(warning, owner, services.now())
    if since is None:
        return
    logger.warning("budget", tenant=warning.tenant, percent=warning.percent, **month.shape())
    services.event_bus.warn(warning, since, month.shape())
    services.quota_store.note_warning(warning, since, owner, services.now())
