"""AWS as moto plays it, for one test at a time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

import boto3
import botocore.session
from botocore.loaders import create_loader
from moto import mock_aws

from batchyard.adapters import aws

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION: Final = "us-east-1"
# botocore's descriptions of AWS: each session reads its own otherwise, which takes longer than most of the tests
_DESCRIPTIONS: Final = create_loader()


@contextmanager
def empty_aws(*, machines_run: bool = False) -> Iterator[boto3.Session]:
    """Mock AWS with nothing in it yet, and give boto3 a fresh session, which is yielded."""
    known = {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": REGION}
    with (
        patch.dict("os.environ", {f"AWS_{name}": value for name, value in known.items()}),
        mock_aws(config={"stepfunctions": {"execute_state_machine": machines_run}}),
    ):
        core = botocore.session.get_session()
        core.register_component("data_loader", _DESCRIPTIONS)
        boto3.setup_default_session(botocore_session=core)
        aws.client.cache_clear()  # a client knows its session for good
        assert boto3.DEFAULT_SESSION is not None
        yield boto3.DEFAULT_SESSION
