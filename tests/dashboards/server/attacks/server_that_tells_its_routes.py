"""``python -m dashboards``, which writes down what routes it has once it listens, and ends.

Arguments: the file for the routes, and the port.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dashboards.shared.keys import set_keys
from dashboards.shared.source import archive_source

if __name__ == "__main__":
    set_keys(archive_source().folder)
    from tornado.ioloop import IOLoop

    from dashboards.server import allowed_routes, serve, server  # import Bokeh, which needs its keys first

    class Telling(server.ArchiveServe):
        def customize_server(self, made: Any) -> Any:
            served = super().customize_server(made)

            def tell() -> None:
                Path(sys.argv[1]).write_text(json.dumps(sorted(allowed_routes.patterns(served._tornado))))
                IOLoop.current().stop()

            IOLoop.current().add_callback(tell)
            return served

    server.ArchiveServe = Telling
    serve.main(["--port", sys.argv[2]])
