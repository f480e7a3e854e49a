"""The 24 real visibilities of 2020-06-07, 6-10 keV, shipped with ``xrayvisim``, for comparison with other packages."""

from __future__ import annotations

import pickle
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stixcore.instrument.geometry import IMAGING_LABELS
from stixcore.visibility.visibilities import Visibilities


def stored() -> Any:
    """As shipped (class of ``xrayvision``)."""
    spec = find_spec("xrayvision")
    assert spec is not None
    assert spec.origin is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # written by older versions of astropy and numpy
        *_, visibilities = pickle.loads((Path(spec.origin).parent / "data" / "stix_vis.pkl").read_bytes())
    return visibilities


def ours() -> Visibilities:
    """In our container, relative to their phase center."""
    raw = stored()
    return Visibilities(raw.u.value, raw.v.value, raw.vis.value, raw.amplitude_error.value, IMAGING_LABELS)


def theirs() -> Any:
    """As ``xrayvision.visibility.Visibilities`` with the phase center at the origin, around which it images."""
    return ours().to_xrayvision()
