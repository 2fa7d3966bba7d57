"""The one logger and the metrics. No line of a log holds a key, a prompt or an answer."""

from collections.abc import Mapping
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE: Final = "Batchyard"

logger = Logger(service="batchyard", utc=True)


def publish(counts: Mapping[str, int]) -> None:
    """Publish counts as metrics; nothing is published if there are none."""
    metrics = Metrics(namespace=NAMESPACE, service="batchyard")
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    if counts:
        metrics.flush_metrics()
