"""The counts that CloudWatch reads from the logs."""

from collections.abc import Mapping

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE = "Batchyard"


def publish(counts: Mapping[str, int]) -> None:
    """Publish what was counted; what was not done costs no metric."""
    metrics = Metrics(namespace=NAMESPACE, service="batchyard")
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    if counts:
        metrics.flush_metrics()
