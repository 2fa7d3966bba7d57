"""Services on moto, in this process, with a provider made of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest

from tests.fakes.moto import REGION, SETTINGS, empty_aws, moto_world
from tests.integration.batchyard.roles import Roles, needed_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.world import World


@pytest.fixture
def roles() -> Iterator[Roles]:
    """What each operation may do, in an AWS with nothing in it yet."""
    with empty_aws() as session:
        roles = Roles(SETTINGS, REGION)
        roles.listen(session.events)
        yield roles
        assert roles.denied == []


@pytest.fixture
def world(request: pytest.FixtureRequest, roles: Roles) -> Iterator[World]:
    """A world in which every operation may do what its function may, and nothing else."""
    assert boto3.DEFAULT_SESSION is not None
    yield moto_world(boto3.DEFAULT_SESSION)
    assert needed_by(request.node) <= roles.used, "uses.toml names this test for what it does not need"
