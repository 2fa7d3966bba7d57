"""Run a module as a part of the local stack: `python -m local.tether MODULE [ARGUMENT …]` ends when its parent does.

The parent holds the other end of this process's standard input. However the parent ends, SIGKILL included, the system
closes that end, and the part takes its whole process group with it: the Lambda workers of the engine too.
"""

import os
import runpy
import signal
import sys
import threading


def main(module: str, arguments: list[str]) -> None:
    """Run `module` as `__main__` with `arguments`, tied to the life of the parent."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    threading.Thread(target=_end_with_parent, name="tether", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
