"""The one logger: structured, and never given a key, a prompt or an answer."""

from collections.abc import Mapping

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE = "Batchyard"


logger = Logger(service="batchyard", utc=True)


def publish(counts: Mapping[str, int]) -> None:
    """Publish what was counted; what was not done costs no metric."""
    metrics = Metrics(namespace=NAMESPACE, service="batchyard")
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    if counts:
        metrics.flush_metrics()
