"""World coordinates of a map: types, scale, roll and handedness."""

from __future__ import annotations

import math

from stixcore.image_files.validation.findings import Findings, MapHeader

#: Differences of angles that are rounding, deg.
ROLL = 0.01


def check_world(header: MapHeader) -> Findings:
    """Everything about the coordinates of pixels."""
    for keyword, kind in (("CTYPE1", "HPLN"), ("CTYPE2", "HPLT")):
        found = header.text(keyword)
        if found is not None and not found.startswith(f"{kind}-"):
            yield header.error(keyword, f"It must be {kind}-TAN; readers do not know other axes of the solar disk.")
    for keyword in ("CDELT1", "CDELT2"):
        if header.number(keyword) == 0.0:
            yield header.error(keyword, "It must not be 0.")
    matrix = _matrix(header)
    if matrix is None:
        return
    (a, b), (c, d) = matrix
    determinant = a * d - b * c
    if determinant == 0.0:
        yield header.error("PC1_1", "The matrix has no inverse.")
        return
    if determinant < 0.0:
        yield header.error("CDELT1", "The map is mirrored: north is up where solar west is to the left.")
        return
    has_matrix = any(f"PC{i}_{j}" in header for i in (1, 2) for j in (1, 2))
    angle = math.degrees(math.atan2(c - b, a + d))
    for keyword in ("CROTA", "CROTA1", "CROTA2"):
        roll = header.number(keyword)
        if roll is None or not has_matrix:
            continue
        if abs((roll - angle + 180.0) % 360.0 - 180.0) > ROLL:
            yield header.error(keyword, f"The roll of the matrix PCi_j is {angle:.3f} deg.")
        elif keyword != "CROTA":
            yield header.note(keyword, "The FITS standard does not allow it beside PCi_j.")
    shear = abs(a * b + c * d) / determinant
    if shear > math.sin(math.radians(ROLL)) * 10.0:
        yield header.warning("PC1_2", "The axes are not at right angles.")


def _matrix(header: MapHeader) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Change of world coordinates per pixel, from CDELT and PC, or CD."""
    if "CD1_1" in header:
        a, b, c, d = (header.number(f"CD{i}_{j}") or 0.0 for i in (1, 2) for j in (1, 2))
        return (a, b), (c, d)
    x, y = header.number("CDELT1"), header.number("CDELT2")
    if not x or not y:
        return None
    values = []
    for i, j in ((1, 1), (1, 2), (2, 1), (2, 2)):
        number = header.number(f"PC{i}_{j}")
        values.append(float(i == j) if number is None else number)
    return (x * values[0], x * values[1]), (y * values[2], y * values[3])
