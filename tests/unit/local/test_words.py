"""A misspelt word after `make` runs nothing and is told what was meant."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from local import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def make(*words: str) -> tuple[int, str]:
    """Have make say what it would run, and return its exit status and all that it says."""
    command = ["make", "--dry-run", f"PYTHON={sys.executable}", *words]
    done = subprocess.run(  # noqa: S603 - our own Makefile
        command, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("run", "mine.jsonl"), "Did you mean: make run INPUT=mine.jsonl?"),
        (("run", "README.md"), "Did you mean: make run INPUT=README.md?"),
        (("run", "input=mine.jsonl"), "input= is no setting. Did you mean INPUT=…?"),
        (("run", "INPTU=mine.jsonl"), "INPTU= is no setting. Did you mean INPUT=…?"),
        (("run", "SOURCE=README.md"), "SOURCE= is no setting. Did you mean INPUT=…?"),
        (("run", "Out=results"), "Out= is no setting. Did you mean OUT=…?"),
        (("run", "INPUT=my", "requests.jsonl"), 'Did you mean: make run INPUT="my requests.jsonl"?'),
        (("rnu",), "rnu is no command of this Makefile. Did you mean: make run?"),
        (("run", "it's"), "it's is no command of this Makefile."),
        (("run", "PROVIDER_API_KYE=sk-secret"), "Did you mean PROVIDER_API_KEY=…?"),
        (("run", "x=$(shell echo oops >&2)"), "x= is no setting. `make help` lists them all."),
    ],
)
def test_a_word_that_make_does_not_know_runs_nothing(words: tuple[str, ...], meant: str) -> None:
    status, said = make(*words)
    assert (status, meant in said) == (2, True), said
    assert "-m local" not in said
    assert "sk-secret" not in said
    assert "\noops" not in said


def test_a_path_with_a_space_is_guessed_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my very own"
    path.write_text("{}\n")
    first, *others = str(path).split()
    assert f'INPUT="{path}"?' in make("run", f"INPUT={first}", *others)[1]


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        (("run",), "-m local run"),
        (("run", "INPUT=it's my $100 `file`.jsonl", "OUT=a,b c"), "--out 'a,b c'"),
        (("run", "INPUT="), "--input ''"),
        (("run", "BATCHYARD_MAX_ATTEMPTS=5", "PROVIDER_BASE_URL=http://127.0.0.1:1/v1"), "-m local run"),
        (("bench", "BENCH=upload plan", "FILES=3"), 'tests.benchmarks upload plan --files "3"'),
    ],
)
def test_what_is_right_goes_on(words: tuple[str, ...], runs: str) -> None:
    status, said = make(*words)
    assert (status, runs in said) == (0, True), said


def test_a_value_reaches_the_program_as_it_was_typed() -> None:
    assert r"""--input 'it'\''s my $100 `file`.jsonl'""" in make("run", "INPUT=it's my $100 `file`.jsonl")[1]


def test_every_variable_of_a_recipe_is_a_setting() -> None:
    settings = re.findall(r"[A-Z_]+", re.findall(r"^SETTINGS := (.+)$", MAKEFILE, re.MULTILINE)[0])
    recipes = "\n".join(line for line in MAKEFILE.splitlines() if line.startswith("\t"))
    used = {*re.findall(r"\$\(([A-Z_]+)\)", recipes), *re.findall(r"call given,([A-Z_]+)", recipes)}
    assert used - {"PY", "MAKE"} <= set(settings)
