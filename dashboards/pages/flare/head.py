"""The head of the flare page: names, class, times, position."""

from __future__ import annotations

from html import escape

import numpy as np

from archive import Flare
from dashboards.pages.flare.content import FlareContent
from dashboards.pages.flare.geometry import earth_view
from dashboards.shared import formatting
from dashboards.shared.curve_colors import BAND_NAMES
from dashboards.shared.light_times import Clock

VERDICTS = {"trusted": "good", "doubtful": "doubt"}


def head_html(content: FlareContent) -> str:
    """Names, links to other pages, and the facts of the flare."""
    flare = content.flare
    others = ", ".join(escape(other) for other in (flare.other_ids or "").split())
    names = [
        ("SOL identifier", escape(flare.sol_id or formatting.UNKNOWN)),
        *([("Other ids", others)] if others else []),
        ("Class, measured", measured_class(flare)),
        ("Class, estimated", estimated_class(flare)),
        *_position_rows(flare),
        ("Peak counts", _peak_counts(flare)),
        ("From", escape(_origin(flare))),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in names)
    simulated = '<p class="simulated">SIMULATED DATA, not a real flare</p>' if flare.simulated else ""
    return (
        f"<h1>Flare {escape(flare.flare_id)}</h1>{simulated}{_links(content)}"
        f'<div class="two"><dl>{listed}</dl>{times_html(content)}</div>'
    )


def measured_class(flare: Flare) -> str:
    """``M1.2`` and who measured it; a dash if GOES measured nothing."""
    if not flare.goes_class:
        hidden = " <i>the Earth could not see the flare</i>" if flare.earth_visible is False else ""
        return f"{formatting.UNKNOWN}{hidden}"
    source = f" <i>{escape(flare.goes_source)}</i>" if flare.goes_source else ""
    return f"<b>{escape(flare.goes_class)}</b>{_range(flare.goes_low, flare.goes_high)}{source}"


def estimated_class(flare: Flare) -> str:
    """``≈M1.0 (C8.1–M1.4)`` and the data of the estimate; a dash if there is none."""
    known = formatting.estimated_class(flare)
    if not known:
        return formatting.UNKNOWN
    source = formatting.estimate_source(flare.goes_estimated_from)
    return f"{escape(known)}{f' <i>{escape(source)}</i>' if source else ''}"


def times_html(content: FlareContent) -> str:
    """Start, peak and end on the three clocks."""
    flare = content.flare
    heads = "".join(f"<th scope='col'>{name}</th>" for name in ("Solar Orbiter", "Earth", "Sun"))
    shifts = [content.shift(clock) for clock in (Clock.SOLAR_ORBITER, Clock.EARTH, Clock.SUN)]
    rows = "".join(
        f"<tr><th scope='row'>{name}</th>{''.join(f'<td>{_clock(time, shift)}</td>' for shift in shifts)}</tr>"
        for name, time in (("Start", flare.t_start), ("Peak", flare.t_peak), ("End", flare.t_end))
    )
    length = (
        formatting.duration(flare.t_start, flare.t_end)
        if flare.t_start is not None and flare.t_end is not None
        else formatting.UNKNOWN
    )
    return (
        "<div class='scroll' tabindex='0'><table>"
        f"<caption>{formatting.day(flare.t_peak)} UTC, length {length}</caption>"
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _position_rows(flare: Flare) -> list[tuple[str, str]]:
    error = f" ± {formatting.arcsec(flare.hpc_sigma)}″" if flare.hpc_sigma is not None else ""
    method = formatting.location_name(flare.location_method or "")
    source = ", ".join(part for part in (flare.location_source, method) if part)
    kind = VERDICTS.get(flare.location_verdict or "")
    verdict = f' <span class="mark {kind}">{escape(flare.location_verdict or "")}</span>' if kind else ""
    if flare.hpc_x is None:
        return [("Position", formatting.UNKNOWN)]
    where = f"<br><i>{escape(source)}</i>" if source else ""
    return [
        ("Position", f"{formatting.position(flare.hpc_x, flare.hpc_y)}{error}{verdict}{where}"),
        ("On the Sun", heliographic(flare)),
        ("From the Earth", f"{formatting.position(flare.earth_x, flare.earth_y)} <i>{earth_view(flare)}</i>"),
    ]


def heliographic(flare: Flare) -> str:
    """``W11.4° N12.1° ± 0.2°, Carrington 322.0°``; the limb point and its height off the limb."""
    lon, lat = flare.stonyhurst_lon, flare.stonyhurst_lat
    if lon is None or lat is None:
        return formatting.UNKNOWN
    error = f" ± {formatting.number(flare.heliographic_sigma, '.1f')}°" if flare.heliographic_sigma is not None else ""
    text = f"{'E' if lon < 0 else 'W'}{abs(lon):.1f}° {'S' if lat < 0 else 'N'}{abs(lat):.1f}°{error}"
    if flare.carrington_lon is not None:
        text += f" <i>Carrington longitude {flare.carrington_lon:.1f}°</i>"
    if flare.off_limb:
        height = f"{formatting.number(flare.limb_height, '.1f')} Mm above" if flare.limb_height is not None else "off"
        text += f"<br><i>{height} the limb seen from Solar Orbiter; this is the nearest point of the limb</i>"
    return text


def _links(content: FlareContent) -> str:
    flare, window = content.flare, content.window
    links = [
        (f"lightcurves?start={window.start:.0f}&amp;span={window.span:.0f}&amp;img=yes", "light curves"),
        (f"image_archive?flare={escape(flare.flare_id)}&amp;author=anyone", "images"),
    ]
    uids = sorted({one.first.uid for one in content.sets if one.first.uid})
    links += [(f"science_data?uid={escape(uid)}", f"science file {escape(uid)}") for uid in uids[:3]]
    return f'<p class="links">{"".join(f"<a href='{place}'>{name}</a>" for place, name in links)}</p>'


def _peak_counts(flare: Flare) -> str:
    bands = zip(
        BAND_NAMES.values(), (flare.peak_counts, flare.peak_counts_10_15, flare.peak_counts_15_25), strict=False
    )
    known = [f"{formatting.counts(value)} <i>{name}</i>" for name, value in bands if value is not None]
    attenuator = "<br><i>attenuator in, so these are lower limits</i>" if flare.attenuator_in else ""
    return f"{', '.join(known)} <i>in 4 s</i>{attenuator}" if known else formatting.UNKNOWN


def _origin(flare: Flare) -> str:
    return "detected in the quick-look light curves" if flare.source == "detected" else f"list {flare.source}"


def _range(low: str | None, high: str | None) -> str:
    return f" ({escape(low)}–{escape(high)})" if low and high and low != high else ""


def _clock(time: np.datetime64 | None, shift: float | None) -> str:
    if time is None or shift is None:
        return formatting.UNKNOWN
    return formatting.clock(time + np.timedelta64(round(shift * 1e6), "us"))
