"""Times of a map: their form, their order, and those at the Earth and at the Sun."""

from __future__ import annotations

import re

import numpy as np

from stixcore.image_files.validation.findings import Findings, MapHeader

_TIMES = ("DATE", "DATE-OBS", "DATE-BEG", "DATE-AVG", "DATE-END", "DATE_EAR", "DATE_SUN", "DATEREF")
_FITS = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?)?", re.ASCII)
_READABLE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?", re.ASCII)
#: Differences up to this are rounding.
_ROUNDING = np.timedelta64(5, "ms")
_TOLERANCE = np.timedelta64(1, "s")
#: Launch of Solar Orbiter.
_LAUNCH = np.datetime64("2020-02-10", "us")


def time_of(header: MapHeader, keyword: str) -> np.datetime64 | None:
    """A time, also in the form of `stx_map2fits` with a blank for the T; None for a missing or unreadable one."""
    text = (header.text(keyword) or "").removesuffix("Z")
    if not _READABLE.fullmatch(text):
        return None
    try:
        return np.datetime64(text.replace(" ", "T"), "us")
    except ValueError:
        return None


def middle_of(header: MapHeader) -> np.datetime64 | None:
    """The time that the position of the observer is for."""
    found = (time_of(header, keyword) for keyword in ("DATE-AVG", "DATE-OBS", "DATE-BEG"))
    return next((time for time in found if time is not None), None)


def check_times(header: MapHeader) -> Findings:
    """Everything about the times of a map."""
    for keyword in _TIMES:
        text = header.text(keyword)
        if text is not None and not (_FITS.fullmatch(text) and (len(text) == 10 or time_of(header, keyword))):
            yield header.error(keyword, "It must be a time as the FITS standard writes it: 2022-11-11T11:36:00.000.")
    for wrong in ("DATE_OBS", "DATE_BEG", "DATE_AVG", "DATE_END"):
        if wrong in header and wrong.replace("_", "-") not in header:
            yield header.warning(wrong, f"Readers look for {wrong.replace('_', '-')}.")
    system = header.text("TIMESYS")
    if system is not None and system.upper() != "UTC":
        yield header.error("TIMESYS", "It must be UTC.")
    yield from _order(header)
    yield from _elsewhere(header)


def _order(header: MapHeader) -> Findings:
    begin, middle, end = (time_of(header, f"DATE-{part}") for part in ("BEG", "AVG", "END"))
    observed = time_of(header, "DATE-OBS")
    if begin is not None and begin < _LAUNCH:
        yield header.error("DATE-BEG", "It is before the launch of Solar Orbiter.")
    if begin is not None and end is not None and not begin < end:
        yield header.error("DATE-END", "It must be after DATE-BEG.")
    early = middle is not None and begin is not None and middle < begin
    late = middle is not None and end is not None and middle > end
    if early or late:
        yield header.error("DATE-AVG", "It must be between DATE-BEG and DATE-END.")
    if observed is not None and begin is not None and abs(observed - begin) > _ROUNDING:
        yield header.warning("DATE-OBS", "It must be the same as DATE-BEG.")
    exposure = header.number("XPOSURE")
    if exposure is not None and exposure <= 0.0:
        yield header.error("XPOSURE", "It must be above 0.")
    elif exposure is not None and begin is not None and end is not None:
        length = float((end - begin) / np.timedelta64(1, "s"))
        if exposure > 1.01 * length + 0.5:
            yield header.error("XPOSURE", f"It is longer than from DATE-BEG to DATE-END, which is {length:g} s.")


def _elsewhere(header: MapHeader) -> Findings:
    """DATE_EAR = DATE-BEG + EAR_TDEL, DATE_SUN = DATE-BEG - SUN_TIME."""
    begin = time_of(header, "DATE-BEG")
    for keyword, delay, sign in (("DATE_EAR", "EAR_TDEL", 1), ("DATE_SUN", "SUN_TIME", -1)):
        found, seconds = time_of(header, keyword), header.number(delay)
        if begin is None or found is None or seconds is None or abs(seconds) > 1e5:
            continue
        if abs(found - begin - np.timedelta64(round(sign * seconds * 1e6), "us")) > _TOLERANCE:
            yield header.warning(keyword, f"It must be DATE-BEG {'+' if sign > 0 else '-'} {delay}.")
