"""Show the make targets and every setting of the local stack: `python -m local.help`."""

from collections.abc import Iterator

from local.commands import WITH_THEM, section, show, targets
from local.stack.deploy import TEMPLATE, read_template
from local.stack.parameters import parameters
from local.stack.settings import ADDRESS_OF_CHAT, EMULATOR_VALUES, OWN_VALUES, SECRET_OF_WEBHOOKS


def text() -> str:
    """Return the whole help."""
    return "\n\n".join((section("Commands", targets()), section("Settings", _settings())))


def _settings() -> Iterator[tuple[str, str]]:
    yield from WITH_THEM.items()
    for parameter in (*parameters(read_template(TEMPLATE)).values(), SECRET_OF_WEBHOOKS, ADDRESS_OF_CHAT):
        if parameter.name == "ProviderBaseUrl":
            continue  # told above under its usual name
        local = EMULATOR_VALUES.get(parameter.name)
        here = f" ({local} with the emulator, {OWN_VALUES[parameter.name]} with your own provider)" if local else ""
        yield f"{parameter.variable}=…", f"{parameter.description} Default: {parameter.default or 'empty'}{here}"


if __name__ == "__main__":
    show(text())
