"""The one logger: structured, and never given a key, a prompt or an answer."""

from aws_lambda_powertools import Logger

logger = Logger(service="batchyard", utc=True)
