"""Services on moto, in this process, with a provider made of memory; the table may stand before another judge than moto."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest

from tests.fakes.moto import REGION, SETTINGS, empty_aws, moto_world
from tests.integration.batchyard.roles import Roles, needed_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.world import World


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--dynamodb", metavar="URL", help="an engine for the table in moto's place; the other tests are left out"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests without a table where an engine for the table is judged by."""
    if _engine(config):
        of_table = [item for item in items if "roles" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(of_table)])
        items[:] = of_table


def _engine(config: pytest.Config) -> str | None:
    found: str | None = config.getoption("dynamodb", None)  # not asked for where pytest began in a folder above
    return found


@pytest.fixture
def concurrent_table(pytestconfig: pytest.Config) -> None:
    """Skip the test on moto, which loses writes of a transaction beside writes of another thread."""
    if not _engine(pytestconfig):
        pytest.skip("moto's transactions lose writes of other threads; make conformance runs this test")


@pytest.fixture
def roles(pytestconfig: pytest.Config) -> Iterator[Roles]:
    """What each operation may do, in an AWS with nothing in it yet."""
    with empty_aws(dynamodb=_engine(pytestconfig)) as session:
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
