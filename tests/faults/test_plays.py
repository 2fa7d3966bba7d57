"""Random plays about a gather folder: every file is in exactly one batch that is sent, with the results of a run of its own.

`make test` has 64 plays, always the same ones; `make faults` has as many new ones as WALKS says. A play that fails is played
again without one step after the other, until only those are left that lead to the failure, and these are printed.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from batchyard.domain.numbers import HOUR
from tests.faults.plays import KINDS, PlayWorld
from tests.faults.provider import Fate
from tests.faults.strikes import KINDS as STRIKES
from tests.faults.strikes import Strike

if TYPE_CHECKING:
    from collections.abc import Callable

    Move = Callable[[PlayWorld, random.Random], None]

PLAYS: Final = 64
STEPS: Final = 24
MOST_TRIES: Final = 200  # of a play that fails, with fewer steps
#: What the schedule of a play asks for; None for a folder without one.
SCHEDULES: Final[list[dict[str, Any] | None]] = [
    None, {}, {"overlap": "queue"}, {"min_lines": 4}, {"start_at_lines": 2}, {"max_wait": 3_600, "min_lines": 50},
    {"hours": "03:00-06:00"}, {"overlap": "queue", "start_at_bytes": 300},
]  # fmt: skip
#: What must happen in five of the plays or more, or the plays prove less than they say.
WANTED: Final = (
    "refused", "refused for money", "retry refused", "retried", "cancelled before it began", "cancelled while it ran",
    "replaced", "deleted", "set aside", "told twice", "at once", "at once, amid claims", "caught up", "struck",
    "schedule: made", "schedule: nothing", "schedule: too little", "schedule: overlap", "schedule: early", "schedule: waits",
    "schedule: hours", "listed in parts",
)  # fmt: skip
ENOUGH: Final = 5


class Play(NamedTuple):
    """A play: what its schedule asks for, the lines of a shard, and its steps, each with the seed of what is left to chance."""

    schedule: dict[str, Any] | None
    shard: int
    steps: list[tuple[str, int]]

    def wrongs(self, seen: Counter[str] | None = None) -> list[str]:
        """Play it to its end, and list the promises that were broken."""
        world = PlayWorld(self.schedule, self.shard)
        try:
            for name, seed in self.steps:
                MOVES[name][1](world, random.Random(seed))  # noqa: S311 - a play is no secret
            found = world.close()
        except AssertionError as error:  # what hangs, and what cannot be delivered
            found = [str(error)]
        (Counter() if seen is None else seen).update(world.seen)
        return found

    def without(self, at: int) -> Play:
        return self._replace(steps=self.steps[:at] + self.steps[at + 1 :])


def play_of(seed: int) -> Play:
    """Make a play up."""
    chance = random.Random(seed)  # noqa: S311 - a play is no secret
    names = chance.choices([*MOVES], [weight for weight, _ in MOVES.values()], k=STEPS)
    return Play(
        SCHEDULES[seed % len(SCHEDULES)],
        chance.choice([2, 5, 100]),
        [(name, chance.randrange(2**32)) for name in names],
    )


def shortest(play: Play) -> Play:
    """Leave out each step without which a play fails, too."""
    at, tries = 0, 0
    while at < len(play.steps) and tries < MOST_TRIES:
        shorter, tries = play.without(at), tries + 1
        play, at = (shorter, at) if shorter.wrongs() else (play, at + 1)
    return play


def test_every_file_is_in_exactly_one_batch_whatever_comes_in_whichever_order() -> None:
    walks = os.environ.get("WALKS")
    seeds = range(PLAYS) if walks is None else random.SystemRandom().sample(range(2**32), int(walks))
    seen = Counter[str]()
    for seed in seeds:
        play = play_of(seed)
        if wrongs := play.wrongs(seen):
            few = shortest(play)
            raise AssertionError(f"play_of({seed}): {wrongs}\nin short {few!r}: {few.wrongs()}")
    rare = {each: seen[each] for each in WANTED if seen[each] < ENOUGH}
    assert not rare or walks is not None


def _come(world: PlayWorld, chance: random.Random) -> None:
    for _ in range(chance.randrange(1, 4)):
        kind = "good" if chance.random() < 0.6 else chance.choice(KINDS)
        world.arrive(chance.choice("abcd"), chance.choice([1, 3]), kind)


def _remove(world: PlayWorld, chance: random.Random) -> None:
    world.remove(chance.randrange(4))


def _by(world: PlayWorld, chance: random.Random) -> Callable[[], None]:
    """Choose who fires the folder: a RUN, a request or the clock, and what comes again when its event comes again."""
    return world.means(chance.choice(["RUN", "request", "clock"]), chance.choice(["skip", "skip", "refuse"]))


def _fire(world: PlayWorld, chance: random.Random) -> None:
    call = _by(world, chance)
    (world.machine.once if chance.random() < 0.3 else world.machine.deliver)(call)


def _fire_twice(world: PlayWorld, chance: random.Random) -> None:
    call = _by(world, chance)
    world.machine.once(call)
    if chance.random() < 0.5:
        _come(world, chance)
        _turn(world, chance)
    world.machine.deliver(call)
    world.seen.add("told twice")


def _fire_at_once(world: PlayWorld, chance: random.Random) -> None:
    _come(world, chance)
    world.at_once(_by(world, chance), _by(world, chance), chance.randrange(20))


def _refuse(world: PlayWorld, chance: random.Random) -> None:
    """A bad file comes, and the folder is fired with `refuse`; a retry of that is refused, too."""
    world.arrive(chance.choice("abcd"), 3, chance.choice(KINDS[1:]))
    world.machine.once(world.means(chance.choice(["RUN", "request"]), "refuse"))
    world.turn(0, chance.randrange(1, 4))
    world.retry_void(chance.randrange(4))


def _fire_without_money(world: PlayWorld, chance: random.Random) -> None:
    _come(world, chance)
    call = world.means(chance.choice(["RUN", "RUN", "clock", "request"]), "skip")
    world.spent(lambda: world.machine.once(call))


def _fire_short_of_time(world: PlayWorld, chance: random.Random) -> None:
    _come(world, chance)
    call = world.means("RUN", chance.choice(["skip", "refuse"]))
    world.short_of_time(call, chance.randrange(3))


def _put_a_run_of_which_nobody_hears(world: PlayWorld, chance: random.Random) -> None:
    """S3's event is lost, or comes late; the sweep finds a RUN within two hours."""
    _come(world, chance)
    version = world.put_run(chance.choice(["skip", "refuse"]))
    if chance.random() < 0.5:
        world.clock.now += 2 * HOUR
        world.sweep_for(version)
    if chance.random() < 0.5:
        world.machine.once(lambda: world.hear(version))


def _cancel(world: PlayWorld, chance: random.Random) -> None:
    """Cancel a batch before it is planned, or when it runs."""
    if chance.random() < 0.7:
        _come(world, chance)
        world.machine.deliver(world.means("RUN", "skip"))
    world.turn(chance.randrange(4), chance.choice([0, 2, 3, 4]))
    world.stop_a_batch(chance.randrange(4))
    if chance.random() < 0.5:
        world.machine.cancel()


def _strike_hours(world: PlayWorld, chance: random.Random) -> None:
    """The clock tells of some times one after the other, while nothing goes on, and then of an earlier one."""
    for _ in range(chance.randrange(1, 4)):
        world.machine.once(world.tick)
        world.clock.now += HOUR
    world.machine.once(lambda: world.tick(chance.randrange(4)))


def _turn(world: PlayWorld, chance: random.Random) -> None:
    world.turn(chance.randrange(4), chance.randrange(1, 9))


def _end(world: PlayWorld, _: random.Random) -> None:
    world.to_the_end()


def _sweep(world: PlayWorld, chance: random.Random) -> None:
    world.clock.now += chance.choice([60, 1_300, 3_700])
    world.sweep()


def _retry(world: PlayWorld, chance: random.Random) -> None:
    world.retry_errors(chance.choice(["errors", "errors", "cancelled", "all"]))


def _ordain(world: PlayWorld, chance: random.Random) -> None:
    """Some provider batches do not end well, but each of them finishes a line or more."""
    end, seconds = chance.choice(["completed", "expired", "cancelled"]), chance.choice([1.0, 90.0, 4_000.0])
    world.provider.fates.append(Fate(end, seconds, chance.choice([0.3, 0.6])))


def _strike(world: PlayWorld, chance: random.Random) -> None:
    world.strikes.due = Strike(chance.choice(STRIKES), chance.randrange(14), chance.random() < 0.5, sure=False)


#: Each move, and how often it is chosen.
MOVES: Final[dict[str, tuple[int, Move]]] = {
    "come": (4, _come), "remove": (1, _remove), "fire": (2, _fire), "fire twice": (1, _fire_twice),
    "fire at once": (2, _fire_at_once), "refuse": (1, _refuse), "fire without money": (1, _fire_without_money),
    "put a RUN": (1, _put_a_run_of_which_nobody_hears), "cancel": (2, _cancel), "strike hours": (2, _strike_hours),
    "turn": (3, _turn), "end": (1, _end), "sweep": (2, _sweep), "retry": (1, _retry), "ordain": (2, _ordain),
    "strike": (4, _strike), "fire short of time": (1, _fire_short_of_time),
}  # fmt: skip
