from pathlib import Path

import pytest

from batch_client import PROFILES, Facts, Profile
from local.providers_page import PAGE, facts_of, main, page


def test_the_page_is_what_make_docs_writes(tmp_path: Path) -> None:
    copy = tmp_path / "providers.md"
    copy.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    main(copy)
    assert PAGE.read_text(encoding="utf-8") == copy.read_text(encoding="utf-8"), (
        "docs/providers.md differs from rows.py: make docs"
    )


def test_each_service_has_its_table_and_its_source() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, profile in PROFILES.items():
        assert text.count(f"### {profile.title}\n") == 1, name
        assert f"| source | {profile.facts.source} |" in text


def test_a_row_with_odd_facts_is_told_as_it_is() -> None:
    facts = Facts(
        source="a document of 2026", most_lines=9, least_lines=2, windows=("1h", "9h"), windows_between=True, room="jobs",
        room_size=3, expires=False, reserved_metadata=("x",), results_kept=3_600, price=0.25, sellers=("openai",),
    )  # fmt: skip
    text = facts_of({"odd": Profile(name="odd", title="Odd", facts=facts)})
    for row in (
        "requests of a batch | 2 to 9",
        "windows | `1h` to `9h`",
        "what fills up | batches of a model: 3 at once",
        "at the end of the window | it runs on",
        "reserved keys of metadata | `x`",
        "keeps inputs, results | until deleted, 1 hours",
        "a listed one | 25% of the full price",
    ):
        assert row in text


def test_other_words_of_the_page_stay_and_a_page_without_the_marks_is_refused() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page("Mine.\n" + text).startswith("Mine.\n")
    with pytest.raises(ValueError, match="facts"):
        page("No marks.")
