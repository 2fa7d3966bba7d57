"""Say what is wrong with the words after `make`, and what was meant: `python local/words.py`, called by the Makefile.

This module needs the standard library alone. It never shows a value that may be a secret.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

_NEAR = 0.6
_HELP = "`make help` lists them all."
_FILE_ENDS = (".jsonl", ".ndjson", ".json", ".txt", ".gz")


def told(goals: list[str], known_goals: list[str], given: dict[str, str], known: list[str]) -> list[str]:
    """Return a sentence for each word that `make` does not know: unknown `goals`, and names in `given` beyond `known`."""
    sentences = [_of_variable(name, value, known) for name, value in given.items() if name not in known]
    if goals and "INPUT" in given:
        whole = " ".join([given["INPUT"], *goals])
        if Path(whole).is_file() or _looks_like_file(goals[-1]):
            return [*sentences, f'A path with a space needs quotes. Did you mean: make run INPUT="{whole}"?']
    return [*sentences, *(_of_goal(goal, known_goals) for goal in goals)]


def _of_goal(goal: str, known: list[str]) -> str:
    near = difflib.get_close_matches(goal, known, n=1, cutoff=_NEAR)
    if _looks_like_file(goal):
        meant = f"Did you mean: make run INPUT={goal}?"
    else:
        meant = f"Did you mean: make {near[0]}?" if near else _HELP
    return f"{goal} is no command of this Makefile. {meant}"


def _of_variable(name: str, value: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=_NEAR)
    if name.upper() not in known and value and Path(value).is_file():
        near = ["INPUT"]
    meant = f"Did you mean {near[0]}=…?" if near else _HELP
    return f"{name}= is no setting. {meant}"


def _looks_like_file(word: str) -> bool:
    return Path(word).is_file() or word.lower().endswith(_FILE_ENDS)


if __name__ == "__main__":
    _goals, _known_goals, _known, *_given = sys.argv[1:]
    _pairs = dict(each.partition("=")[::2] for each in _given)
    for _sentence in told(_goals.split(), _known_goals.split(), _pairs, _known.split()):
        print(_sentence, file=sys.stderr)
