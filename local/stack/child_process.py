"""Run a module in a child process that ends with its parent: `python -m local.stack.child_process MODULE [ARGUMENT …]`.

The parent holds the other end of this process's standard input. The operating system closes that end when the parent
ends, even by SIGKILL. The child then ends its whole process group, which includes the Lambda workers of the engine.
"""

import os
import runpy
import signal
import sys
import threading


def main(module: str, arguments: list[str]) -> None:
    """Run `module` as `__main__` with `arguments`, and end when the parent ends."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
