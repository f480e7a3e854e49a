"""GOES/XRS files in the layout of NOAA, written for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import pytest

J2000 = np.datetime64("2000-01-01T12:00:00", "us")


def write_goes_file(
    path: Path,
    time: Any,
    flux: Any,
    *,
    flags: Any = None,
    satellite: int = 16,
    names: tuple[str, str, str, str] = ("xrsa_flux", "xrsb_flux", "xrsa_flag", "xrsb_flag"),
    units: str = "W/m2",
    time_units: str = "seconds since 2000-01-01 12:00:00 UTC",
    platform: str | None = None,
    without: tuple[str, ...] = (),
) -> Path:
    """Write a file of ``xrsf-l2-avg1m_science`` or, with other names and times, of another product.

    The variables, their types, fill values and attributes are those of version 2-2-1.
    """
    time, flux = np.asarray(time, "datetime64[us]"), np.asarray(flux, float)
    flags = np.zeros(time.size, "u1") if flags is None else np.asarray(flags, "u1")
    short, long, short_flag, long_flag = names
    with h5netcdf.File(path, "w") as file:
        file.attrs["platform"] = f"g{satellite}" if platform is None else platform
        file.attrs["instrument"] = "GOES-R Series X-ray Sensor (XRS)"
        file.dimensions = {"time": time.size}
        seconds = (time - J2000) / np.timedelta64(1, "s")
        file.create_variable("time", ("time",), "f8", data=seconds, fillvalue=-9999.0)
        file["time"].attrs["units"] = time_units
        for name, values in ((short, flux / 10), (long, flux)):
            if name not in without:
                filled = np.where(np.isfinite(values), values, -9999.0)
                file.create_variable(name, ("time",), "f4", data=filled, fillvalue=np.float32(-9999))
                file[name].attrs["units"] = units
        for name in (short_flag, long_flag):
            if name not in without:
                file.create_variable(name, ("time",), "u1", data=flags, fillvalue=np.uint8(255))
                file[name].attrs["flag_meanings"] = "good_data eclipse particle_spike calibration off_point"
                file[name].attrs["flag_values"] = np.array([0, 1, 2, 4, 8], "u1")
                file[name].attrs["flag_masks"] = np.array([255, 1, 2, 4, 8], "u1")
    return path


@pytest.fixture
def goes_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a GOES file into a temporary folder: `write_goes_file` with a name instead of a path."""

    def write(name: str, *values: Any, **options: Any) -> Path:
        return write_goes_file(tmp_path / name, *values, **options)

    return write
