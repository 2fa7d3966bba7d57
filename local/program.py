"""Run another program as a module, so that `local.tether` can hold it: `python -m local.program PROGRAM [ARGUMENT …]`."""

import subprocess
import sys

if __name__ == "__main__":
    sys.exit(subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, check=False).returncode)
