"""Every real file of `shared/data/found` and `products` is taken in, and imaged or said why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from archive import Archive, OutcomeStatus, ScienceFile
from archive.ingest.ingest import ingest
from stixcore.errors import StixError
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.options import ImageRequest
from stixcore.recipe import FileReference
from stixcore.reconstruct import prepare_recipe, reconstruct

#: Science files that no image can be made of, and the words of the reason.
EXPLAINED = {
    "solo_L1A_stix-sci-spectrogram-2207238956_20220723T122007-20220723T182511_079258_V01.fits": "found a sci-xray-spec",
    "solo_L1_stix-sci-spectrogram-88217860_20200508T082937_V01.fits": "found a sci-xray-spec",
    "solo_L1_stix-sci-xray-spec_20200505T235959-20200506T000019_V01_0087031812-50886.fits": "found a sci-xray-spec",
    # its header tells nothing of the Sun, and no ephemeris of 2020-05-08 is in the folder
    "solo_L1_stix-sci-xray-l0-87031824_20200508T011207_V01.fits": "gives the apparent solar radius",
}


def imaged(archive: Archive, row: ScienceFile) -> NDArray[np.float64]:
    """Back projection of all bins of a file, 6-10 keV, around the centre of the Sun."""
    bp = Method.BP
    request = ImageRequest(
        start=row.t_start,
        end=row.t_end,
        energy=(6.0, 10.0),
        methods={bp: default_methods()[bp]},
        location=(0.0, 0.0),
        shape=(33, 33),
    )
    path = archive.path_of(row.path)
    recipe = prepare_recipe(request, path, None, (), catalog=archive.calibration)

    def locate(reference: FileReference) -> Path:
        return archive.locate(reference.name)

    images = reconstruct(recipe, locate, catalog=archive.calibration)
    return images.images[bp].image


@pytest.mark.parametrize("folder", ["found", "products"])
def test_every_file_is_imaged_or_explained(archive: Archive, shared_data, make, folder: str) -> None:
    outcomes = [one for one in ingest(archive, [shared_data / folder], make.now) if one.path.suffix == ".fits"]
    assert len(outcomes) == len(list((shared_data / folder).glob("*.fits")))
    for outcome in outcomes:
        assert outcome.status is OutcomeStatus.INGESTED or outcome.reason, outcome.path.name
    kept = archive.rows("SELECT name FROM science_files")
    for name in [row["name"] for row in kept]:
        row = archive.science_file(name)
        if name in EXPLAINED:
            with pytest.raises(StixError, match=EXPLAINED[name]):
                imaged(archive, row)
        else:
            image = imaged(archive, row)
            assert np.isfinite(image).all()
            assert np.ptp(image) > 0
