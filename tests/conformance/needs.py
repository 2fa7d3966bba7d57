"""What DynamoDB Local needs of a machine, and the sentence that says what is missing."""

import re
import shutil
import subprocess
from typing import Final

OLDEST_JAVA: Final = 17
NETWORK: Final = ("unshare", "--map-root-user", "--net")  # a command behind it has a network of its own


def missing() -> str | None:
    """Say in a sentence what this machine lacks; None if there is all."""
    if _java() < OLDEST_JAVA:
        return f"DynamoDB Local needs Java {OLDEST_JAVA} or newer, which is not here."
    if not shutil.which("npm"):
        return "npm brings DynamoDB Local, and there is no npm here."
    if not all(map(shutil.which, ("unshare", "setpriv"))):
        return "DynamoDB Local listens on every address, so that it needs a network of its own: Linux and util-linux."
    refused = _asked([*NETWORK, "true"])
    if refused.returncode:
        why = refused.stderr.strip()
        return f"DynamoDB Local listens on every address, and this machine refuses a network of its own: {why}"
    return None


def _java() -> int:
    """Return the version of Java; 0 where there is none."""
    if not shutil.which("java"):
        return 0
    found = re.search(r'version "(\d+)', _asked(["java", "-version"]).stderr)
    return int(found[1]) if found else 0


def _asked(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - fixed commands
