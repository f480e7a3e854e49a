"""The stixpy script on the demo flare of 2020: it uses the part of a background and the moved bins of a recipe."""

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np

from archive.index.schema import Image
from archive.scripts.images import stixpy_script
from archive.scripts.sources import source_of
from stixcore.fits.read import read_pixel_data
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.options import ImageRequest
from stixcore.reconstruct import prepare_recipe, reconstruct
from stixcore.times import parse_time


def test_background_is_the_quiet_minute_of_the_science_file(shared_data, tmp_path):
    demo = shared_data / "demo20200607"
    science, aspect = next(demo.glob("*_1178428688-*.fits")), next(demo.glob("*aux-ephemeris*.fits"))
    for path in (science, aspect):
        shutil.copyfile(path, tmp_path / path.name)
    begin = read_pixel_data(science).t_start[0]
    request = ImageRequest(
        parse_time("2020-06-07T21:39:00"),
        parse_time("2020-06-07T21:42:49"),
        (6.0, 10.0),
        methods={Method.BP: default_methods()[Method.BP]},
        location=(-1592.0, -792.0),
        background_range=(begin, begin + np.timedelta64(60, "s")),
    )
    recipe = replace(prepare_recipe(request, science, science, [aspect]), shift_bins=True)
    images = reconstruct(recipe, lambda file: tmp_path / file.name)
    image = Image(
        image_id=f"{recipe.recipe_id}-bp",
        recipe_id=recipe.recipe_id,
        method="bp",
        uid="1178428688",
        t_start=images.pixels.t_start,
        t_end=images.pixels.t_end,
        e_low=6.0,
        e_high=10.0,
        nx=129,
        ny=129,
        pixel_arcsec=2.0,
        center_hpc_x=-1592.0,
        center_hpc_y=-792.0,
        trusted=True,
        file="images/bp.fits",
        sha256="0" * 64,
        size=1,
        author="anna",
        created_at=np.datetime64("2026-11-29", "us"),
    )
    script = tmp_path / "script.py"
    script.write_text(stixpy_script(source_of(image, recipe.to_dict(), "http://127.0.0.1:1")))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script.name, "--no-plot"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "background from 2020-06-07T21:37:09.684 to 2020-06-07T21:38:09.684" in done.stdout
    x, y = images.images[Method.BP].peak
    place = done.stdout.partition("brightest at x = ")[2].partition(" arcsec")[0]
    found_x, found_y = (float(number) for number in place.split(", y = "))
    assert np.hypot(found_x - x, found_y - y) < 3.0
