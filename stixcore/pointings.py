"""Other pointings for an image: where they put it, and whether moving the picture is enough.

The instrument measures positions in its own frame. Another pointing with the same roll moves the whole picture on the
Sun; another roll turns it as well, for which the image has to be made again. It also has to be made again where the
grid transmission is that of another place in the instrument's frame: the map's center was given on the Sun, and with
another pointing the instrument sees that place elsewhere. A center that was found in the data stays where it is in the
instrument's frame, and so does its transmission.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from stixcore.calibration.grids import amplitude_factor
from stixcore.calibration.pointing import MAX_DISAGREEMENT, pointing_solutions
from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix, stix_to_hpc
from stixcore.errors import CalibrationError
from stixcore.fits.products import AspectTable
from stixcore.fits.read import read_aspect
from stixcore.instrument.geometry import detector_indices
from stixcore.recipe import Recipe
from stixcore.reconstruct import ImageSet

#: A roll that differs by less turns nothing visibly: it moves a source 60″ from the map's center by 0.1″, deg.
SAME_ROLL = 0.1
#: Amplitudes that change by a smaller fraction are the same: their calibration is uncertain by 5 %.
SAME_TRANSMISSION = 0.01
#: How a recipe says that its map center was given on the Sun, not found in the data.
GIVEN = "given"


@dataclass(frozen=True)
class PointingChoice:
    """One pointing that an image can be shown with.

    Attributes
    ----------
    pointing : Pointing
    used : bool
        Whether the image was made with it.
    place : (x, y), arcsec
        Where it puts the center of the flare map, helioprojective.
    shift : (x, y), arcsec
        From the stored map to this place, west and north.
    turn : float, deg
        Roll minus that of the image.
    transmission : float
        Largest relative change of a visibility amplitude in a new image with this pointing.
    note : str
        Why the ground rules do not use this pointing; empty where they may.
    """

    pointing: Pointing
    used: bool
    place: tuple[float, float]
    shift: tuple[float, float]
    turn: float
    transmission: float
    note: str = ""

    @property
    def shift_suffices(self) -> bool:
        """Whether the moved picture is that of a new image with this pointing."""
        return abs(self.turn) <= SAME_ROLL and self.transmission <= SAME_TRANSMISSION

    @property
    def reason(self) -> str:
        """What else changes, in words; empty where a shift suffices."""
        changes = []
        if abs(self.turn) > SAME_ROLL:
            changes.append(f"the roll changes by {self.turn:.2f}°")
        if self.transmission > SAME_TRANSMISSION:
            changes.append(f"the grid transmission changes amplitudes by up to {self.transmission:.1%}")
        return " and ".join(changes)

    def to_dict(self) -> dict[str, Any]:
        """JSON values; keys include the units, unknown values are None."""
        pointing = self.pointing
        return {
            "source": str(pointing.source),
            "used": self.used,
            "roll_deg": pointing.roll,
            "x_arcsec": pointing.x,
            "y_arcsec": pointing.y,
            "sigma_arcsec": pointing.sigma if isfinite(pointing.sigma) else None,
            "hpc_x": self.place[0],
            "hpc_y": self.place[1],
            "shift_x_arcsec": self.shift[0],
            "shift_y_arcsec": self.shift[1],
            "roll_change_deg": self.turn,
            "transmission_change": self.transmission,
            "shift_suffices": self.shift_suffices,
            "reason": self.reason,
            "note": self.note,
        }


def solutions_in_window(recipe: Recipe, tables: Sequence[AspectTable]) -> tuple[Pointing, ...]:
    """All pointings that auxiliary files give for the time range of a recipe; empty where no record is near."""
    if not tables:
        return ()
    try:
        return pointing_solutions(tables, recipe.t_start, recipe.t_end)
    except CalibrationError:
        return ()


def with_solutions(images: ImageSet, aspect: Iterable[Path]) -> ImageSet:
    """The image set with all pointings that auxiliary files give for its time range.

    Raises
    ------
    InvalidProduct
        When a file is not an auxiliary file.
    """
    return replace(images, pointings=solutions_in_window(images.recipe, [read_aspect(path) for path in aspect]))


def pointing_choices(
    recipe: Recipe, solutions: Iterable[Pointing], *, full_disk: bool = False
) -> tuple[PointingChoice, ...]:
    """Pointings that an image of a recipe can be shown with, best source first.

    Parameters
    ----------
    recipe : Recipe
        Its own pointing is one of them and takes the place of the solution from the same source.
    solutions : iterable of Pointing
        For the recipe's time range (`solutions_in_window`).
    full_disk : bool
        For the full-disk map, whose amplitudes are those of a source on the axis with every pointing.
    """
    known = {solution.source: solution for solution in solutions} | {recipe.pointing.source: recipe.pointing}
    order = list(PointingSource)
    attitude = known.get(PointingSource.SPACECRAFT)
    return tuple(
        _choice(recipe, known[source], attitude, full_disk=full_disk) for source in sorted(known, key=order.index)
    )


def _choice(recipe: Recipe, pointing: Pointing, attitude: Pointing | None, *, full_disk: bool) -> PointingChoice:
    center, used = recipe.location, pointing is recipe.pointing
    seen_at = hpc_to_stix(center.x, center.y, recipe.pointing)
    x, y = stix_to_hpc(*seen_at, pointing)
    note = ""
    if attitude is not None and pointing.source is PointingSource.ASPECT and not used:
        distance = float(np.hypot(pointing.x - attitude.x, pointing.y - attitude.y))
        if distance >= MAX_DISAGREEMENT:
            note = f"{distance:.0f}″ from the spacecraft's attitude; beyond {MAX_DISAGREEMENT:.0f}″ it is not used"
    return PointingChoice(
        pointing,
        used,
        (center.x, center.y) if used else (float(x), float(y)),
        (0.0, 0.0) if used else (float(x) - center.x, float(y) - center.y),
        0.0 if used else (pointing.roll - recipe.pointing.roll + 180.0) % 360.0 - 180.0,
        0.0 if used or full_disk else _transmission_change(recipe, pointing),
        note,
    )


def _transmission_change(recipe: Recipe, pointing: Pointing) -> float:
    """Largest relative change of an amplitude factor in a new image of the recipe with another pointing."""
    if recipe.location.found_by != GIVEN:
        return 0.0  # found at the same place in the instrument's frame
    index = detector_indices(recipe.subcollimators)
    before, after = (
        amplitude_factor(recipe.amplitude_scheme, float(x), float(y))[index]
        for x, y in (hpc_to_stix(recipe.location.x, recipe.location.y, one) for one in (recipe.pointing, pointing))
    )
    # |M(new) / M(old) - 1|
    return float(np.nanmax(np.abs(after / before - 1.0), initial=0.0))
