"""``python -m dashboards [--port N] [--address A]``: the pages with everything on."""

from dashboards.server.serve import main

if __name__ == "__main__":
    main()
