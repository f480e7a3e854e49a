"""Work on an archive: downloads, flare detection, previews, requests and renderings, and where it runs."""
