import re

from local.deploy import read_template
from local.engine.__main__ import WRAPPERS
from local.engine.mends import MENDS
from local.help import text
from local.parts import ROOT
from local.stack import TEMPLATE


def test_every_parameter_of_the_template_is_told_with_its_default() -> None:
    told = " ".join(text().split())
    for name, rules in read_template(TEMPLATE)["Parameters"].items():
        if name in ("ProviderApiKey", "ProviderBaseUrl"):
            continue
        assert f"{' '.join(rules['Description'].split())} Default: {str(rules['Default']) or 'empty'}" in told


def test_the_provider_is_told_under_its_usual_names() -> None:
    assert {"PROVIDER_BASE_URL=…", "PROVIDER_API_KEY=…"} <= set(text().split())


def test_every_explained_target_of_the_makefile_is_told() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert targets
    assert all(f"make {target}\n" in text() for target in targets)


def test_what_the_emulator_changes_is_told() -> None:
    told = " ".join(text().split())
    assert "Default: 30 (1 with the emulator, 5 with your own provider)" in told


def test_the_readme_names_every_mend_and_wrapper_of_the_engine() -> None:
    named = set(re.findall(r"^\| `(\w+)` \| ", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert MENDS.keys() | WRAPPERS.keys() <= named
