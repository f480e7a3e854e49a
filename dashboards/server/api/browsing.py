"""Endpoints for browsing: flares, images, science files, light curves. Open to everybody.

Those for spectra are in `dashboards.server.api.spectra`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from archive import Archive, ImageFilter, NotInArchive, ScienceFilter
from archive.index.filters import NO_LOCATION, FlareFilter
from archive.index.schema import FLARES, IMAGES, RUNS, SCIENCE_FILES, Image, ScienceFile
from archive.index.series import BAND_EDGES, BANDS
from archive.lightcurves.corrections import Corrections
from archive.lightcurves.detector import LONGEST_DETECTOR
from archive.lightcurves.read import LightCurveView
from archive.lightcurves.science import LONGEST
from archive.scripts.sources import read_sources, with_recipe
from dashboards.pages.flare.content import used_files
from dashboards.server.api import parameters as p
from dashboards.server.api.call import Call, Endpoint, Reply
from dashboards.server.api.errors import Refused
from dashboards.server.api.files import file_reply, format_parameter
from dashboards.server.api.rows import (
    CLOCK,
    finite,
    iso,
    public_columns,
    public_names,
    row_document,
    row_schema,
    units,
)
from dashboards.shared.access import visible_image
from dashboards.shared.links import flare_address

#: Most points of a light curve in one response: about 2 MB.
POINTS = 20_000
#: Most flares of a file: more than STIX will see.
MOST_FLARES = 10**6
#: Number of points if no resolution is given: about one per pixel of a screen.
_SCREEN = 2000
#: Files that light curves are from, and rates with and without correction for live time.
QUICK_LOOK, SCIENCE, DETECTOR = "quicklook", "science", "background-detector"
CORRECTED, RECORDED = "corrected", "recorded"

_START = p.time("start", "Ends after this time")
_END = p.time("end", "Starts before this time")
_SIMULATED = p.truth("simulated", "Only simulated data (true) or only real data (false)")
#: Most images of one flare in a response.
FLARE_IMAGES = 500
FLARE_ID = r"[A-Za-z0-9_.:-]{1,40}"
IMAGE_ID, SCIENCE_NAME = r"[0-9a-f]{16}-[a-z_]{1,20}", r"[A-Za-z0-9._-]{1,150}"


def page_schema(item: dict[str, Any]) -> dict[str, Any]:
    """JSON schema of one page of a list."""
    return {
        "type": "object",
        "required": ["total", "limit", "offset", "next", "clock", "units", "items"],
        "properties": {
            "total": {"type": "integer", "description": "Total number of items"},
            "limit": {"type": "integer"},
            "offset": {"type": "integer"},
            "next": {"type": ["string", "null"], "description": "URL of the next page, relative to this URL"},
            "clock": {"type": "string", "description": "Meaning of the times"},
            "units": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Unit by column"},
            "items": {"type": "array", "items": item},
        },
    }


def flares(archive: Archive, call: Call) -> Reply:
    """One page of flares."""
    v = call.values
    which = _flare_filter(v)
    if v["format"] is not None:
        total = archive.count_flares(which)
        return file_reply(call, FLARES, total, lambda columns: archive.flare_table(which, columns), MOST_FLARES)
    found = archive.flare_page(which, sort=v["sort"], limit=v["limit"], offset=v["offset"])
    items = [row_document(FLARES, row) for row in found]
    return Reply(call.page(items, archive.count_flares(which), units(public_columns(FLARES)), CLOCK))


def _flare_filter(v: Mapping[str, Any]) -> FlareFilter:
    return FlareFilter(
        t_start=v["start"],
        t_end=v["end"],
        **{name: v[name] for name in _FLARE_LIMITS},
        **{name: v[name] for name in ("disk_box", "earth_box", "carrington_box")},
        verdict=v["verdict"],
        earth_visible=v["earth_visible"],
        has_images=v["has_images"],
        simulated=v["simulated"],
        text=v["text"] or "",
    )


def flare(archive: Archive, call: Call) -> Reply:
    """One flare by any of its ids, with its images and the files that they were made of."""
    found = archive.flare(call.path["flare_id"])
    which = ImageFilter(flare_id=found.flare_id, viewer=call.visitor.name, all_hidden=call.visitor.operator)
    shown = archive.images(which, sort=("t_start", "image_id"), limit=FLARE_IMAGES)
    files = used_files(archive, read_sources(archive, with_recipe(archive, shown), ""))
    kinds = {"background": "science"}
    document = row_document(FLARES, found) | {
        "n_images": archive.count_images(which),
        "images": [image_document(row, "../") for row in shown],
        "files": [
            {
                "kind": file.kind,
                "name": file.name,
                "size": file.size,
                "sha256": file.sha256,
                "link": f"../../../archive/{kinds.get(file.kind, file.kind)}/{file.name}",
            }
            for file in files
        ],
        "links": {
            "page": f"../../../{flare_address(found.flare_id)}",
            "bundle": f"../../../archive/flare/{found.flare_id}.zip",
            "spectrum": f"../spectra/{found.spectrum_id}" if found.spectrum_id else None,
        },
        "clock": CLOCK,
        "units": units(public_columns(FLARES)),
        "image_units": units(public_columns(IMAGES)),
    }
    return Reply(document)


def images(archive: Archive, call: Call) -> Reply:
    """One page of images; hidden images are visible to their author and to operators."""
    v = call.values
    which = ImageFilter(
        t_start=v["start"],
        t_end=v["end"],
        uid=v["uid"],
        flare_id=v["flare_id"],
        recipe_id=v["recipe_id"],
        author=v["author"],
        methods=v["method"],
        e_low=v["energy_low"],
        e_high=v["energy_high"],
        goes_min=v["goes_min"],
        goes_max=v["goes_max"],
        estimated_min=v["estimated_min"],
        estimated_max=v["estimated_max"],
        trusted=v["trusted"],
        verdict_position=v["verdict_position"],
        verdict_flux=v["verdict_flux"],
        verdict_shape=v["verdict_shape"],
        simulated=v["simulated"],
        text=v["text"] or "",
        viewer=call.visitor.name,
        all_hidden=call.visitor.operator,
    )
    if v["format"] is not None:
        total = archive.count_images(which)
        return file_reply(call, IMAGES, total, lambda columns: archive.image_table(which, columns))
    found = archive.images(which, sort=v["sort"], limit=v["limit"], offset=v["offset"])
    items = [image_document(row, "") for row in found]
    return Reply(call.page(items, archive.count_images(which), units(public_columns(IMAGES)), CLOCK))


def image(archive: Archive, call: Call) -> Reply:
    """One image with its run."""
    found = visible_image(archive, call.path["image_id"], call.visitor)
    try:
        run = row_document(RUNS, archive.run(found.recipe_id))
    except NotInArchive:  # reported by the next check
        run = None
    document = image_document(found, "../") | {
        "run": run,
        "clock": CLOCK,
        "units": units(public_columns(IMAGES)),
        "run_units": units(public_columns(RUNS)),
    }
    return Reply(document)


def image_document(row: Image, up: str) -> dict[str, Any]:
    """An image as JSON, with file URLs relative to the URL of the call."""
    files = f"{up}../../archive"
    links = {
        "self": f"{up}images/{row.image_id}" if not up else row.image_id,
        "fits": f"{files}/fits/{row.image_id}",
        "png": f"{files}/png/{row.image_id}" if row.png else None,
        "thumbnail": f"{files}/thumbnail/{row.image_id}" if row.thumbnail else None,
        "script": f"{files}/script/{row.image_id}.py",
    }
    return row_document(IMAGES, row) | {"links": links}


def science_files(archive: Archive, call: Call) -> Reply:
    """One page of science files."""
    v = call.values
    which = ScienceFilter(
        t_start=v["start"],
        t_end=v["end"],
        product=v["product"],
        uid=v["uid"],
        is_background=v["background"],
        simulated=v["simulated"],
        e_low=v["energy_low"],
        e_high=v["energy_high"],
        text=v["text"] or "",
        superseded=bool(v["superseded"]),
    )
    found = archive.science_files(which, sort=v["sort"], limit=v["limit"], offset=v["offset"])
    items = [_science_document(row) for row in found]
    return Reply(call.page(items, archive.count_science_files(which), units(public_columns(SCIENCE_FILES)), CLOCK))


def _science_document(row: ScienceFile) -> dict[str, Any]:
    return row_document(SCIENCE_FILES, row) | {"links": {"fits": f"../../archive/science/{row.name}"}}


def _light_curve(archive: Archive, v: Mapping[str, Any], points: int) -> tuple[LightCurveView, dict[str, Any]]:
    """Light curves of the requested source, and what the answer says about them."""
    start, end, simulated, source = v["start"], v["end"], bool(v["simulated"]), v["source"] or QUICK_LOOK
    live_time = v["livetime"] == CORRECTED or (source == SCIENCE and v["livetime"] is None)
    asked = Corrections(live_time, v.get("attenuator") == CORRECTED)
    about = {"source": source, "live_time_corrected": live_time, "attenuator_corrected": asked.attenuator}
    if source == QUICK_LOOK:
        view = archive.light_curve(start, end, points, simulated=simulated, corrections=asked)
        return view, about | {"cautions": list(view.cautions)}
    longest = LONGEST if source == SCIENCE else LONGEST_DETECTOR
    if end - start > longest:
        what = "science files" if source == SCIENCE else "the background detector"
        raise Refused(400, f"end: light curves of {what} are at most {longest} long", "end", str(end))
    if source == SCIENCE:
        curve = archive.science_curve(
            start, end, points, simulated=simulated, corrected=live_time, attenuator=asked.attenuator
        )
    else:
        if asked.attenuator:
            message = f"attenuator: it never covers the {source.replace('-', ' ')}; leave attenuator out"
            raise Refused(400, message, "attenuator", CORRECTED)
        curve = archive.detector_curve(start, end, points, simulated=simulated, corrected=live_time)
    about |= {"live_time_corrected": curve.live_time_corrected}
    return curve.view, about | {"files": list(curve.files), "cautions": list(curve.cautions)}


def lightcurve(archive: Archive, call: Call) -> Reply:
    """Light curves of a time window, from quick-look or science files.

    Raises
    ------
    Refused
        400 if the window is empty, or has too many points at this resolution.
    """
    v = call.values
    start, end, resolution = v["start"], v["end"], v["resolution"]
    span = (end - start) / np.timedelta64(1, "s")
    if span <= 0:
        raise Refused(400, "end: expected a time after start", "end", str(end))
    points = _SCREEN
    if resolution is not None:
        if resolution <= 0 or span / resolution > POINTS - 1:
            message = (
                f"resolution: {span:g} s at {resolution:g} s are more than {POINTS} points; "
                f"ask for at least {span / (POINTS - 1):.4g} s, or for a shorter window"
            )
            raise Refused(400, message, "resolution", f"{resolution:g}")
        points = max(2, math.ceil(span / resolution) + 1)
    view, about = _light_curve(archive, v, points)

    def numbers(values: Any) -> list[float | None]:
        return [finite(value) for value in values.tolist()]

    def bands(values: Any) -> dict[str, list[float | None]]:
        return {f"{band}_kev": numbers(values[:, place]) for place, band in enumerate(BANDS)}

    edges = [*BAND_EDGES.tolist(), 84.0]
    document = {
        "start": iso(start),
        "end": iso(end),
        "clock": CLOCK,
        "units": {
            "bucket": "s",
            "recorded": "s",
            "mean": "ct s⁻¹",
            "low": "ct s⁻¹",
            "high": "ct s⁻¹",
            "triggers": "s⁻¹",
            "bands": "keV",
        },
        "bands": {f"{band}_kev": edges[place : place + 2] for place, band in enumerate(BANDS)},
        "bucket": view.bucket_s,
        "time": [f"{text}Z" for text in np.datetime_as_string(view.time, unit="ms")],
        "recorded": numbers(view.seconds),
        "mean": bands(view.mean),
        "low": bands(view.low),
        "high": bands(view.high),
        "triggers": numbers(view.triggers_mean),
        "rcr": view.rcr.tolist(),
    }
    return Reply(document | about)


_LINKS = {"links": {"type": "object", "description": "URLs of its files, relative to this URL"}}
_NUMBERS = {"type": "array", "items": {"type": ["number", "null"]}}
_BANDS = {"type": "object", "additionalProperties": _NUMBERS}
_CURVE = {
    "type": "object",
    "properties": {
        "bands": {"type": "object", "description": "Lower and upper edge by name, keV"},
        "bucket": {"type": "number", "description": "Length of a point, s; 0 for the original bins"},
        "time": {"type": "array", "items": {"type": "string", "format": "date-time"}, "description": "Starts"},
        "recorded": {**_NUMBERS, "description": "Recorded time, s"},
        "mean": {**_BANDS, "description": "Mean rate, ct s⁻¹; null in gaps"},
        "low": {**_BANDS, "description": "Lowest rate, ct s⁻¹"},
        "high": {**_BANDS, "description": "Highest rate, ct s⁻¹"},
        "triggers": {**_NUMBERS, "description": "Triggers, s⁻¹"},
        "rcr": {"type": "array", "items": {"type": "integer"}, "description": "Rate-control state; -1 in gaps"},
        "source": {"type": "string", "description": f"Kind of files: {QUICK_LOOK}, {SCIENCE} or {DETECTOR}"},
        "files": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Science files or files of the background detector, in order of time",
        },
        "live_time_corrected": {"type": "boolean", "description": "Whether rates are corrected for live time"},
        "attenuator_corrected": {
            "type": "boolean",
            "description": "Whether rates with the attenuator in are corrected where that is possible; see cautions",
        },
        "cautions": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What to know about these files and corrections",
        },
        "clock": {"type": "string"},
        "units": {"type": "object"},
    },
}
_IMAGE = row_schema(IMAGES, _LINKS)
_FILES = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "description": "science, background, aux or calibration"},
            "name": {"type": "string"},
            "size": {"type": ["integer", "null"], "description": "byte; null if the archive does not have it"},
            "sha256": {"type": "string"},
            "link": {"type": "string"},
        },
    },
}
_ESTIMATED = (
    "GOES flux of the flare estimated from STIX data, without the Sun's background if from the background detector, "
    "with it if from counts"
)
_GOES = (
    p.number("goes_min", "Minimum measured GOES flux of the flare", "W m⁻²"),
    p.number("goes_max", "Maximum measured GOES flux of the flare (exclusive)", "W m⁻²"),
    p.number("estimated_min", f"Minimum {_ESTIMATED}", "W m⁻²"),
    p.number("estimated_max", f"Maximum (exclusive) {_ESTIMATED}", "W m⁻²"),
)
#: Limits on the fit of a spectrum.
FIT_LIMITS = (
    p.number("temperature_min", "Minimum temperature, from the fit of a spectrum", "MK"),
    p.number("temperature_max", "Maximum temperature (inclusive), from the fit of a spectrum", "MK"),
    p.number("delta_min", "Minimum spectral index δ of the electrons, from the fit of a spectrum"),
    p.number("delta_max", "Maximum spectral index δ (inclusive), from the fit of a spectrum"),
)
_VERDICTS = ("trusted", "doubtful", NO_LOCATION)
#: Limits of `FlareFilter` that have the same name as parameters.
_FLARE_LIMITS = (
    "goes_min", "goes_max", "estimated_min", "estimated_max", "x_min", "x_max", "y_min", "y_max",
    "temperature_min", "temperature_max", "delta_min", "delta_max",
)  # fmt: skip
_ENERGY = (
    p.number("energy_low", "Energy range reaches above this", "keV"),
    p.number("energy_high", "Energy range reaches below this", "keV"),
)

BROWSING = (
    Endpoint(
        "GET",
        "/flares",
        "Flares, newest first",
        flares,
        page_schema(row_schema(FLARES)),
        (
            p.time("start", "Peak at or after this"),
            p.time("end", "Peak before this"),
            *_GOES,
            *FIT_LIMITS,
            p.choice("verdict", "Verdict on the location; unknown for flares without one", _VERDICTS),
            p.truth("earth_visible", "Visible from the Earth (true) or not (false)"),
            p.truth("has_images", "With images (true) or without (false)"),
            p.number("x_min", "Location from here, helioprojective x seen from Solar Orbiter", "arcsec"),
            p.number("x_max", "Location up to here, helioprojective x", "arcsec"),
            p.number("y_min", "Location from here, helioprojective y", "arcsec"),
            p.number("y_max", "Location up to here, helioprojective y", "arcsec"),
            p.box("disk_box", "Area of the disk seen from Solar Orbiter", "apparent solar radii"),
            p.box("earth_box", "Area of the disk seen from the Earth", "arcsec"),
            p.box("carrington_box", "Area of Carrington longitude and latitude", "deg"),
            format_parameter("flares"),
            _SIMULATED,
            p.text("text", "Part of the flare id, of another id, or of the SOL identifier"),
            p.sort(public_names(FLARES), "-t_peak"),
            *p.PAGE,
        ),
    ),
    Endpoint(
        "GET",
        "/flares/{flare_id}",
        "One flare by any of its ids, with its images and the files that they were made of",
        flare,
        row_schema(FLARES, {"images": {"type": "array", "items": _IMAGE}, "files": _FILES, **_LINKS}),
        places={"flare_id": FLARE_ID},
    ),
    Endpoint(
        "GET",
        "/images",
        "Images, newest first",
        images,
        page_schema(_IMAGE),
        (
            _START,
            _END,
            p.text("uid", "Unique id of the science request"),
            p.text("flare_id", "Flare"),
            p.text("recipe_id", "Recipe"),
            p.text("author", "User who requested it; auto for previews"),
            p.METHOD,
            *_ENERGY,
            *_GOES,
            p.truth("trusted", "Images without warnings (true) or with warnings (false)"),
            p.verdict("position"),
            p.verdict("flux"),
            p.verdict("shape"),
            _SIMULATED,
            format_parameter("images"),
            p.text("text", "Part of the image id, uid or flare id"),
            p.sort(public_names(IMAGES), "-t_start"),
            *p.PAGE,
        ),
    ),
    Endpoint(
        "GET",
        "/images/{image_id}",
        "One image, with the run that made it and its recipe",
        image,
        {**_IMAGE, "properties": {**_IMAGE["properties"], "run": row_schema(RUNS)}},
        places={"image_id": IMAGE_ID},
    ),
    Endpoint(
        "GET",
        "/science-files",
        "Pixel-data files and spectrograms, newest first",
        science_files,
        page_schema(row_schema(SCIENCE_FILES, _LINKS)),
        (
            _START,
            _END,
            p.text("product", "sci-xray-cpd or sci-xray-spec"),
            p.text("uid", "Unique id of the science request"),
            p.truth("background", "Background files only (true) or none (false)"),
            p.number("energy_low", "Channels begin at or below this", "keV"),
            p.number("energy_high", "Channels reach this", "keV"),
            _SIMULATED,
            p.truth("superseded", "Include superseded versions"),
            p.text("text", "Part of the name or purpose"),
            p.sort(public_names(SCIENCE_FILES), "-t_start"),
            *p.PAGE,
        ),
    ),
    Endpoint(
        "GET",
        "/lightcurve",
        "Quick-look light curves in five energy bands",
        lightcurve,
        _CURVE,
        (
            p.time("start", "Start of the window", required=True),
            p.time("end", "End of the window", required=True),
            p.number(
                "resolution", f"Maximum length of a point; by default the window is divided into {_SCREEN} points", "s"
            ),
            p.truth("simulated", "Simulated light curves instead of real ones"),
            p.choice(
                "source",
                "Quick-look files (default); pixel data and spectrograms; or the background detector",
                (QUICK_LOOK, SCIENCE, DETECTOR),
            ),
            p.choice(
                "livetime",
                f"Rates corrected for live time or as recorded; default: {CORRECTED} for {SCIENCE}, else {RECORDED}",
                (CORRECTED, RECORDED),
            ),
            p.choice(
                "attenuator",
                "Rates with the attenuator in: corrected in 25-50 and 50-84 keV, or as recorded (default)",
                (CORRECTED, RECORDED),
            ),
        ),
    ),
)
