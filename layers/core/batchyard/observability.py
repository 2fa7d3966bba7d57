"""The one logger, structured, and the metrics: neither is ever given a key, a prompt or an answer."""

import logging
from collections.abc import Mapping
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE: Final = "Batchyard"

# Below WARNING libraries log what they send and receive: botocore the body of every answer, secrets included. Lambda may have
# set the root logger to DEBUG before this; only our own logger follows.
logging.getLogger().setLevel(max(logging.getLogger().level, logging.WARNING))

logger = Logger(service="batchyard", utc=True)  # the template sets its level, by a variable that Powertools reads


def publish(counts: Mapping[str, int | float], **dimensions: str) -> None:
    """Publish each count, or amount of dollars as a float, under the stack's name; nothing is published if there is none.

    Each value of a dimension makes metrics of its own, so there must be few.
    """
    metrics = Metrics(namespace=NAMESPACE)  # Powertools reads the name of the stack from a variable, too
    for name, value in dimensions.items() if counts else ():
        metrics.add_dimension(name, value)
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.NoUnit if isinstance(count, float) else MetricUnit.Count, count)
    if counts:
        metrics.flush_metrics()
