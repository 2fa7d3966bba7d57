"""Run a program that is no Python module: `python -m local.stack.program PROGRAM [ARGUMENT …]`.

`local.stack.child_process` starts modules alone, and starts this module for the program.
"""

import subprocess
import sys

if __name__ == "__main__":
    sys.exit(subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, check=False).returncode)
