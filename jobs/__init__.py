"""Work on an archive: downloads, flare detection, previews, requests and renderings, and the executors that run it."""
