"""``python -m dashboards [--port N] [--address A]``: the pages with everything on."""

import logging
import os
import sys

from dashboards.server.serve import main

if __name__ == "__main__":
    main()
    # end without tearing down the interpreter, at which DuckDB's bindings print a list of what they call leaks
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
