"""What a function may do: every test here plays operations under the policies of their functions; these look at that itself."""

from __future__ import annotations

from dataclasses import replace

import boto3
import pytest

from batchyard.errors import StoreError
from batchyard.plan import plan
from batchyard.yard import Yard
from tests.integration.batchyard.roles import Grant
from tests.integration.batchyard.world import BUCKET, World, jsonl, request

ONE = jsonl([request("a")])


def test_a_function_that_reaches_for_what_is_not_its_own_is_denied(world: World) -> None:
    batch_id = world.drop(ONE)
    elsewhere = replace(world.yard.settings, table="another-table")
    with pytest.raises(StoreError, match="AccessDenied"):
        plan(Yard(elsewhere, world.provider), batch_id)
    (denied,) = world.roles.denied
    assert denied.startswith("plan may not dynamodb:GetItem")
    world.roles.denied.clear()


def test_what_a_function_uses_is_told_by_statement_and_a_test_itself_uses_nothing(world: World) -> None:
    boto3.client("s3").put_object(Bucket=BUCKET, Key="inbox/default/in.jsonl", Body=ONE)
    world.yard.objects.get("inbox/default/in.jsonl")
    assert world.roles.used == set()
    plan(world.yard, world.drop(ONE))
    assert Grant("plan", "ReadInbox", "s3:GetObjectVersion") in world.roles.used
    assert {grant.function for grant in world.roles.used} == {"intake", "plan"}
