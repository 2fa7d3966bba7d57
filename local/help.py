"""Show the make targets and every setting of the local stack: `python -m local.help`."""

import re
import textwrap
from collections.abc import Iterator

from local.deploy import read_template
from local.parameters import parameters
from local.parts import ROOT
from local.settings import EMULATOR_VALUES, OWN_VALUES
from local.stack import TEMPLATE

_OTHERS = {
    "INPUT=…": "The JSONL file of requests for `make run`. Default: local/requests.jsonl",
    "OUT=…": "The folder for its results. Default: out",
    "PROVIDER_BASE_URL=…": "Your own provider, such as https://api.openai.com/v1, instead of the emulator.",
    "PROVIDER_API_KEY=…": "The key that goes with it.",
}


def text() -> str:
    """Return the whole help."""
    settings = [("Commands", _targets()), ("Settings", _settings())]
    return "\n\n".join(f"{title}\n" + "\n".join(_entry(*row) for row in rows) for title, rows in settings)


def _targets() -> Iterator[tuple[str, str]]:
    for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines():
        found = re.fullmatch(r"([a-z][a-z-]*):.*?## (.+)", line)
        if found:
            yield f"make {found[1]}", found[2]


def _settings() -> Iterator[tuple[str, str]]:
    yield from _OTHERS.items()
    for parameter in parameters(read_template(TEMPLATE)).values():
        if parameter.name in ("ProviderBaseUrl", "ProviderApiKey"):
            continue  # told above under their usual names
        local = EMULATOR_VALUES.get(parameter.name)
        here = f" ({local} with the emulator, {OWN_VALUES[parameter.name]} with your own provider)" if local else ""
        yield f"{parameter.variable}=…", f"{parameter.description} Default: {parameter.default or 'empty'}{here}"


def _entry(name: str, description: str) -> str:
    indent = " " * 6
    return f"  {name}\n" + textwrap.fill(
        description, 100, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


if __name__ == "__main__":
    print(text())
