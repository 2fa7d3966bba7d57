from pathlib import Path

from local.stack.up import same_command


def test_the_command_of_people_can_be_pasted() -> None:
    assert same_command(Path("my file.jsonl"), Path("out")) == ".venv/bin/batchyard run 'my file.jsonl' --out out/"
