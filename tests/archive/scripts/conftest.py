"""An image with its recipe, made of nothing but values; its input files hold a few bytes."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from archive.index.schema import Image
from archive.scripts.sources import source_of
from stixcore.calibration.catalog import SHIPPED
from stixcore.coordinates import Pointing, PointingSource
from stixcore.imaging.methods import default_methods
from stixcore.recipe import CalibrationReference, FileReference, Location, Recipe, TableReference

SERVER = "http://127.0.0.1:1"
TABLE, CAL_FILE = "elut_table_20270105", "solo_CAL_stix-cal-energy_20270302T230511-20270303T230512_V02.fits"
PHASES = TableReference("GridCorrection+PhaseCorrFactors", "0" * 64)


@pytest.fixture
def made(tmp_path):
    """Write input files into the folder of a test; gives a source, the recipe, and the folder."""

    def reference(name, uid):
        content = f"content of {name}".encode()
        if len(name.encode()) < 250:
            (tmp_path / name).write_bytes(content)
        return FileReference(name, uid, hashlib.sha256(content).hexdigest())

    def make(method="clean", science="science.fits", author="anna", aspect=("aux.fits",), **changes):
        recipe = Recipe(
            science=reference(science, "2211111234"),
            background=reference("background.fits", "2211098157"),
            aspect=tuple(reference(name, "") for name in aspect),
            pointing=Pointing(PointingSource.ASPECT, -1.4379522651433942, -3.4971, 90.7586, 1543.6, -21.5, 7.87, 9e10),
            time_range=("2022-11-11T09:23:54.760", "2022-11-11T09:32:58.360"),
            energy_range=(16.0, 28.0),
            location=Location(799.227, 157.262, "full_disk_bp+vis_fwdfit"),
            location_energy=(6.0, 10.0),
            methods=default_methods(),
        )
        recipe = replace(recipe, **changes)
        image = Image(
            image_id=f"{recipe.recipe_id}-{method}",
            recipe_id=recipe.recipe_id,
            method=method,
            uid="2211111234",
            t_start=np.datetime64(recipe.time_range[0], "us"),
            t_end=np.datetime64(recipe.time_range[1], "us"),
            e_low=16.0,
            e_high=28.0,
            nx=129,
            ny=129,
            pixel_arcsec=2.0,
            center_hpc_x=799.227,
            center_hpc_y=157.262,
            trusted=True,
            file=f"images/stix_L3_{recipe.recipe_id}_{method}.fits",
            sha256="0" * 64,
            size=1,
            author=author,
            created_at=np.datetime64("2026-11-23", "us"),
        )
        return source_of(image, recipe.to_dict(), SERVER), recipe, tmp_path

    return make


@pytest.fixture
def calibrated(made):
    """A source whose image has calibration of the archive's own; its files lie in the folder of the test."""

    def make(table=TABLE, cal_file=CAL_FILE, **changes):
        _, _, folder = made()
        digests = {}
        for name in (f"{table}.csv", cal_file):
            (folder / name).write_bytes(f"content of {name}".encode())
            digests[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if table in SHIPPED.tables:
            digests[f"{table}.csv"] = SHIPPED.tables[table].sha256
        used = CalibrationReference(
            TableReference(table, digests[f"{table}.csv"]), PHASES, FileReference(cal_file, "", digests[cal_file])
        )
        return (*made(calibration=used, **changes), used)

    return make
