"""``python -m jobs.cli``: the command line without its entry point."""

import sys

from jobs.cli.parser import main

if __name__ == "__main__":
    sys.exit(main())
