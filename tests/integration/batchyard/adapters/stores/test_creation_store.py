"""What bounds creations in DynamoDB answers and leaves the same as in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchyard.domain.create_limits import Creations
from tests.fakes.stores import MemoryCreationStore

if TYPE_CHECKING:
    from batchyard.adapters.stores.creation_store import CreationStore
    from tests.fakes.world import World

MOVES: list[Any] = [
    lambda store: store.save_creations(Creations(), Creations(counts={"5": {"a": 1}})),
    lambda store: store.save_creations(Creations(), Creations(counts={"5": {"a": 9}})),  # somebody was faster
    lambda store: store.save_creations(store.creations(), Creations(counts={"5": {"a": 2, "*": 1}}, waiting={"b": 7})),
    lambda store: store.most_bytes(5),
    lambda store: store.learn_most_bytes(500, 5, 9),
    lambda store: store.learn_most_bytes(700, 6, 9),  # a smaller size is known
    lambda store: store.learn_most_bytes(300, 7, 10),
    lambda store: store.most_bytes(9),
    lambda store: store.most_bytes(10),
    lambda store: store.learn_most_bytes(700, 10, 20),
    lambda store: store.drop_slots(["9#nobody"]),
    lambda store: store.take_slot("9#a", 2),
    lambda store: store.take_slot("9#b", 2),
    lambda store: store.take_slot("9#c", 2),
    lambda store: store.drop_slots(["9#a", "9#nobody"]),
    lambda store: store.take_slot("9#c", 2),
    lambda store: store.drop_slots(["9#b", "9#c"]),
    lambda store: store.take_slot("9#d", 1),
]


def seen(store: CreationStore) -> tuple[Creations, int | None, list[str]]:
    return store.creations(), store.most_bytes(8), sorted(store.slots())


def test_every_move_has_the_same_answer_and_leaves_the_same(world: World) -> None:
    real, fake = world.services.account().creations, MemoryCreationStore()
    for at, move in enumerate(MOVES):
        assert move(real) == move(fake), f"move {at}"
        assert seen(real) == seen(fake), f"after move {at}"
