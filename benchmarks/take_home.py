"""Twenty random images of an archive, reproduced with the scripts downloaded from its server.

Each Python script is downloaded from a running server and run in an empty folder with a new interpreter; its image is
compared with that of the archive. ``$STIX_ARCHIVE`` is the archive, ``$STIX_SERVER`` its server (default
http://127.0.0.1:5006).
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from time import perf_counter

from archive import Archive
from jobs.imaging.reproduce import compare

NUMBER = 20


def run() -> None:
    archive = Archive(os.environ.get("STIX_ARCHIVE", "stix-archive"))
    server = os.environ.get("STIX_SERVER", "http://127.0.0.1:5006")
    seed = random.randrange(10**6)
    images = archive.images(limit=1_000_000)
    chosen = random.Random(seed).sample(images, min(NUMBER, len(images)))
    print(f"{len(chosen)} of {len(images)} images, seed {seed}")
    worst = 0.0
    for image in chosen:
        begin = perf_counter()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with urllib.request.urlopen(f"{server}/archive/script/{image.image_id}.py", timeout=60) as answer:
                (folder / "script.py").write_bytes(answer.read())
            done = subprocess.run(
                [sys.executable, "script.py", "--no-plot"], cwd=folder, capture_output=True, text=True, check=False
            )
            if done.returncode:
                print(done.stderr)
                raise SystemExit(1)
            (recipe,) = re.findall(r"recipe (\w{16}) as in the archive", done.stdout)
            assert recipe == image.recipe_id
            (made,) = folder.glob("reproduced_*.fits")
            comparison = compare(archive.path_of(image.file), made)
        worst = max(worst, comparison.difference)
        print(f"{image.image_id:30s} {comparison.difference:8.1e}  {perf_counter() - begin:5.1f} s", flush=True)
        assert comparison.agrees, comparison.sentence
    print(f"largest difference {worst:.1e} of the maximum")
