"""``python -m dashboards [--port N] [--address A]``: the pages with everything on."""

import logging
import os
import sys

from archive.extras import missing_package

if __name__ == "__main__":
    try:
        from dashboards.server.serve import main
    except ModuleNotFoundError as error:
        sys.stderr.write(missing_package("python -m dashboards", error) + "\n")
        sys.exit(2)
    main()
    # end without tearing down the interpreter, at which DuckDB's bindings print a list of what they call leaks
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
