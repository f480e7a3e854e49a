"""The entry point of ``stix-jobs``, and ``python -m jobs.cli``: the command line without its entry point."""

import sys

from archive.extras import missing_package


def run() -> int:
    """Run a command; without the extra ``service``, say which package is missing and return 2."""
    try:
        from jobs.cli.parser import main

        return main()
    except ModuleNotFoundError as error:
        sys.stderr.write(missing_package("stix-jobs", error) + "\n")
        return 2


if __name__ == "__main__":
    sys.exit(run())
