"""``stix.epn_core``: flares, images, spectra and light curves as EPN-TAP 2.0 describes products of the solar system.

Names, units and UCDs of the columns are those of the standard (IVOA EPN-TAP 2.0, tables 1 and 2). Simulated data are
left out. Heliographic positions are Carrington coordinates, which the frame type "body" means; positions seen from
Solar Orbiter have no frame type there, so images say "none".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archive.exports import JULIAN_DATE
from archive.layout import SPECTRUM_FILE
from dashboards.server.tap.published import DUCKDB, SERVER, Kind, PublishedColumn, PublishedTable

UTYPE = "ivo://ivoa.net/std/epntap#table-2.0"
#: Frequency of a photon of 1 keV, Hz (e / h, exact in the SI of 2019).
HZ_OF_KEV = 1.602176634e-16 / 6.62607015e-34
_CLOCK = "UTC at Solar Orbiter"


def _text(name: str, ucd: str, description: str, *, joins: bool = False) -> PublishedColumn:
    return PublishedColumn(name, Kind.TEXT, description, ucd=ucd, joins=joins, principal=True)


def _pair(
    name: str, ucd: str, unit: str, description: str, clock: str = "", ends: tuple[str, str] | None = None
) -> Iterator[PublishedColumn]:
    """Columns of the least and the greatest value."""
    ucds = ends or (f"{ucd};stat.min", f"{ucd};stat.max")
    for end, word, one in zip(("min", "max"), ("Minimum", "Maximum"), ucds, strict=True):
        yield PublishedColumn(f"{name}{end}", Kind.REAL, f"{word} {description}", unit, one, clock)


def _date(name: str, ucd: str, description: str) -> PublishedColumn:
    return PublishedColumn(name, Kind.TIME, description, ucd=ucd, clock="UTC")


COLUMNS: tuple[PublishedColumn, ...] = (
    _text("granule_uid", "meta.id", "Identifier of this product", joins=True),
    _text("granule_gid", "meta.id", "Products of one kind: flares, images, spectra or light curves"),
    _text("obs_id", "meta.id;obs", "Flare, science request or day that products have in common", joins=True),
    _text("dataproduct_type", "meta.code.class", "ci: flare of the list, im: image, sp: spectrum, ts: light curve"),
    _text("measurement_type", "meta.ucd", "UCD of what was measured"),
    PublishedColumn("processing_level", Kind.SHORT, "2: raw, 3: calibrated, 5: derived", ucd="meta.calibLevel"),
    _text("target_name", "meta.id;src", "Always Sun"),
    _text("target_class", "src.class", "Always star"),
    *_pair("time_", "", "d", "time, Julian date, UTC at Solar Orbiter", JULIAN_DATE + _CLOCK,
           ("time.start;obs", "time.end;obs")),
    *_pair("time_sampling_step_", "time.resolution", "s", "length of a time bin"),
    *_pair("time_exp_", "time.duration;obs.exposure", "s", "exposure"),
    *_pair("spectral_range_", "em.freq", "Hz", "photon frequency"),
    *_pair("spectral_sampling_step_", "em.freq;spect.binSize", "Hz", "width of a spectral bin"),
    *_pair("spectral_resolution_", "spect.resolution", "", "resolving power"),
    *_pair("c1", "pos.bodyrc.lon", "deg", "Carrington longitude, 0 to 360"),
    *_pair("c2", "pos.bodyrc.lat", "deg", "heliographic latitude"),
    *_pair("c3", "pos.bodyrc.alt", "km", "height above the photosphere, of flares beyond the limb"),
    PublishedColumn("s_region", Kind.TEXT, "Footprint; always empty", ucd="pos.outline;obs.field"),
    *_pair("c1_resol_", "pos.angResolution", "deg", "standard deviation of the longitude"),
    *_pair("c2_resol_", "pos.angResolution", "deg", "standard deviation of the latitude"),
    *_pair("c3_resol_", "pos.resolution", "km", "uncertainty of the height; always empty"),
    _text("spatial_frame_type", "meta.code.class;pos.frame", "body: Carrington coordinates, none: no position"),
    *_pair("incidence_", "pos.incidenceAng", "deg", "incidence angle; always empty"),
    *_pair("emergence_", "pos.emergenceAng", "deg", "angle between local vertical and Solar Orbiter"),
    *_pair("phase_", "pos.phaseAng", "deg", "phase angle; always empty"),
    _text("instrument_host_name", "meta.id;instr.obsty", "Always Solar Orbiter"),
    _text("instrument_name", "meta.id;instr", "Always STIX"),
    _date("creation_date", "time.creation", "When this row was first made; of flares, when it was last written"),
    _date("modification_date", "time.processing", "When this row was last written"),
    _date("release_date", "time.release", "When this row was published"),
    _text("service_title", "meta.title", "Name of this service"),
    _text("access_url", "meta.ref.url;meta.file", "Address of the file; empty for flares"),
    _text("access_format", "meta.code.mime", "Media type of the file"),
    PublishedColumn("access_estsize", Kind.SHORT, "Size of the file", "kbyte", "phys.size;meta.file"),
    _text("thumbnail_url", "meta.ref.url;meta.preview", "Address of a small picture"),
    _text("external_link", "meta.ref.url", "Page of the flare"),
    _text("spatial_coordinate_description", "meta.code.class;pos.frame", "Carrington, where there is a position"),
    _text("time_refposition", "meta.ref;time.scale", "Where the clock is: always SOLO, Solar Orbiter"),
    _text("time_scale", "time.scale", "Always UTC"),
    _text("messenger", "instr.bandpass", "Always X-ray"),
    *_pair("sun_distance_", "pos.distance", "AU", "distance of Solar Orbiter from Sun center"),
)  # fmt: skip


def _julian(time: str) -> str:
    return f"epoch_us({time}) / 86400e6 + 2440587.5"


def _both(name: str, expression: str) -> dict[str, str]:
    return {f"{name}min": expression, f"{name}max": expression}


def _hertz(low: str, high: str) -> dict[str, str]:
    """Frequencies of an energy range; none if it is open above."""
    known = f"CASE WHEN isfinite({low}) AND isfinite({high}) THEN"
    low, high = (f"{known} {energy} * {HZ_OF_KEV!r} END" for energy in (low, high))
    return {"spectral_range_min": low, "spectral_range_max": high}


def _kilobytes(size: str) -> str:
    return f"CAST(ceil({size} / 1000.0) AS INTEGER)"


def _dates(written: str) -> dict[str, str]:
    return dict.fromkeys(("creation_date", "modification_date", "release_date"), written)


def _file(path: str, key: str, media_type: str, size: str) -> dict[str, str]:
    address = f"{SERVER} || '/archive/{path}/' || {key}"
    return {"access_url": address, "access_format": f"'{media_type}'", "access_estsize": _kilobytes(size)}


_ALL = {
    "target_name": "'Sun'", "target_class": "'star'", "instrument_host_name": "'Solar Orbiter'",
    "instrument_name": "'STIX'", "service_title": "'stix'", "time_refposition": "'SOLO'", "time_scale": "'UTC'",
    "messenger": "'X-ray'", "spatial_frame_type": "'none'",
}  # fmt: skip
_ON_THE_SUN = "carrington_lon IS NOT NULL AND stonyhurst_lat IS NOT NULL"
#: Expressions of the columns of flares, images, spectra and light curves, and the rows they are of.
_PRODUCTS: Mapping[str, tuple[Mapping[str, str], str]] = {
    "flares": (
        {
            "granule_uid": "'flare-' || flare_id",
            "obs_id": "flare_id",
            "dataproduct_type": "'ci'",
            "measurement_type": "'phot.count;em.X-ray#phot.flux;em.X-ray.soft'",
            "processing_level": "5",
            "time_min": _julian("coalesce(t_start, t_peak)"),
            "time_max": _julian("coalesce(t_end, t_peak)"),
            "spatial_frame_type": f"CASE WHEN {_ON_THE_SUN} THEN 'body' ELSE 'none' END",
            "spatial_coordinate_description": f"CASE WHEN {_ON_THE_SUN} THEN 'Carrington' END",
            **_both("c1", f"CASE WHEN {_ON_THE_SUN} THEN carrington_lon END"),
            **_both("c2", f"CASE WHEN {_ON_THE_SUN} THEN stonyhurst_lat END"),
            **_both("c3", f"CASE WHEN {_ON_THE_SUN} THEN limb_height * 1000 END"),
            **_both("c1_resol_", "heliographic_sigma"),
            **_both("c2_resol_", "heliographic_sigma"),
            **_both("emergence_", "solo_angle"),
            **_both("sun_distance_", "dsun_au"),
            **_dates("updated_at"),
            "external_link": f"{SERVER} || '/flare?id=' || flare_id",
        },
        "flares WHERE NOT simulated",
    ),
    "images": (
        {
            "granule_uid": "'image-' || image_id",
            "obs_id": "coalesce(flare_id, uid)",
            "dataproduct_type": "'im'",
            "measurement_type": "'phot.flux.sb;em.X-ray'",
            "processing_level": "5",
            "time_min": _julian("t_start"),
            "time_max": _julian("t_end"),
            **_both("time_exp_", "epoch_us(t_end - t_start) / 1e6"),
            **_hertz("e_low", "e_high"),
            **_dates("created_at"),
            **_file("fits", "image_id", "application/fits", "size"),
            "thumbnail_url": f"CASE WHEN thumbnail IS NOT NULL THEN {SERVER} || '/archive/thumbnail/' || image_id END",
            "external_link": f"{SERVER} || '/flare?id=' || flare_id",
        },
        "images WHERE NOT hidden AND NOT simulated",
    ),
    "spectra": (
        {
            "granule_uid": "'spectrum-' || spectrum_id",
            "obs_id": "coalesce(flare_id, uid)",
            "dataproduct_type": "'sp'",
            "measurement_type": "'phot.count;em.X-ray'",
            "processing_level": "3",
            "time_min": _julian("t_start"),
            "time_max": _julian("t_end"),
            **_both("time_exp_", "livetime_s"),
            **_hertz("fit_low", "fit_high"),
            **_both("sun_distance_", "distance_au"),
            **_dates("created_at"),
            **_file("spectrum", f"spectrum_id || '/{SPECTRUM_FILE}'", "application/fits", "size"),
            "external_link": f"{SERVER} || '/flare?id=' || flare_id",
        },
        "spectra WHERE NOT hidden AND NOT simulated",
    ),
    "light_curves": (
        {
            "granule_uid": "'light-curve-' || name",
            "obs_id": "strftime(t_start + (t_end - t_start) / 2, '%Y-%m-%d')",
            "dataproduct_type": "'ts'",
            "measurement_type": "'phot.count;em.X-ray'",
            "processing_level": "2",
            "time_min": _julian("t_start"),
            "time_max": _julian("t_end"),
            **_both("time_sampling_step_", "cadence_s"),
            **_hertz("e_low", "e_high"),
            "creation_date": "coalesce(created, ingested_at)",
            "modification_date": "ingested_at",
            "release_date": "ingested_at",
            **_file("quicklook", "name", "application/fits", "size"),
        },
        "quicklook_files WHERE superseded_by IS NULL AND NOT simulated",
    ),
}


def _rows() -> str:
    parts = []
    for group, (known, source) in _PRODUCTS.items():
        expressions = {**_ALL, "granule_gid": f"'{group}'", **known}
        typed = (f'CAST({expressions.get(c.name, "NULL")} AS {DUCKDB[c.kind]}) AS "{c.name}"' for c in COLUMNS)
        parts.append(f"SELECT {', '.join(typed)} FROM {source}")  # noqa: S608 (names and expressions of this module)
    return " UNION ALL ".join(parts)


EPN_CORE = PublishedTable(
    "stix.epn_core",
    COLUMNS,
    _rows(),
    "Flares, images, spectra and light curves in the columns of EPN-TAP 2.0; without simulated data.",
    UTYPE,
)
