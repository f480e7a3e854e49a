"""Makes recipes of region spectra: from the recipe of an image that exists, or from files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.errors import SelectionError
from stixcore.fits.windows import WindowRule
from stixcore.imaging.methods import MethodParameters, default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.fitted_sources import fitted_sources, refined_sources
from stixcore.imaging_spectroscopy.recipe_pair import ENERGY, LEAST_COUNTS
from stixcore.imaging_spectroscopy.region_recipe import COPIES, REGION_METHODS, RegionRecipe
from stixcore.measure_spectrum import thermal_reference
from stixcore.options import ImageRequest
from stixcore.recipe import RECIPE_VERSION, Recipe
from stixcore.reconstruct import prepare_data, prepare_recipe
from stixcore.references import FileReference
from stixcore.spectra.models.thermal import ThermalTable
from stixcore.spectra.regions import Region
from stixcore.spectrum_recipe import SpectrumRecipe, SpectrumRequest
from stixcore.times import parse_time


def region_recipe(
    images: Recipe,
    regions: Sequence[Region],
    *,
    locate: Callable[[FileReference], Path],
    energy: tuple[float, float] = ENERGY,
    method: Method | None = None,
    models: Mapping[str, str] | None = None,
    request: SpectrumRequest | None = None,
    copies: int = COPIES,
    seed: int = 0,
    least_counts: float = LEAST_COUNTS,
    catalog: CalibrationCatalog = SHIPPED,
    table: ThermalTable | None = None,
) -> RegionRecipe:
    """Make a recipe of region spectra with the files, time range, grid and location of an image.

    Parameters
    ----------
    images : Recipe
        Of an image in which the regions were drawn.
    regions : sequence of Region
    locate : callable
        Path of a file of the recipe.
    energy : (float, float), keV
        Channels within are imaged.
    method : Method, optional
        One of `REGION_METHODS`; by default CLEAN, if the recipe does not have just one of the others.
    models : mapping of str to str, optional
        Model of a region by its name, where it is not that of the request.
    request : SpectrumRequest, optional
        Model, response and range of the fits; its times, background range and location are those of the image.
    copies, seed : int
        Simulated copies of the data, for the errors; the seed of their noise.
    least_counts : float, ct
        Above background, for an image of a channel.
    catalog : CalibrationCatalog
    table : ThermalTable, optional

    Raises
    ------
    SelectionError
        When a value is impossible.
    """
    chosen = method or _method_of(images)
    if chosen not in REGION_METHODS:
        message = f"method must be one of {', '.join(REGION_METHODS)}, found {chosen}"
        raise SelectionError(message)
    parameters: MethodParameters = images.methods.get(chosen) or default_methods()[chosen]
    calibration = catalog.referenced(images, locate).reference
    whole = images.background_range
    asked = request or SpectrumRequest(start=images.t_start, end=images.t_end)
    asked = replace(
        asked,
        start=images.t_start,
        end=images.t_end,
        background_range=None if whole is None else (parse_time(whole[0]), parse_time(whole[1])),
    )
    return RegionRecipe(
        images=replace(
            images,
            energy_range=(float(energy[0]), float(energy[1])),
            methods={chosen: parameters},
            ensemble=copies,
            seed=seed if copies else 0,
            # the bins of the spectrum
            window_rule=WindowRule.CENTRES,
            calibration=calibration,
            version=RECIPE_VERSION,
        ),
        spectrum=SpectrumRecipe(
            science=images.science,
            background=images.background,
            aspect=images.aspect,
            calibration=calibration,
            thermal=thermal_reference(asked.model, table),
            request=asked,
            location=images.location,
        ),
        regions=tuple(regions),
        models=models or {},
        least_counts=least_counts,
    )


def prepare_region_recipe(
    image: ImageRequest,
    regions: Sequence[Region],
    science: Path,
    background: Path | None = None,
    aspect: Sequence[Path] = (),
    *,
    sources: Sequence[tuple[tuple[float, float], int]] = (),
    models: Mapping[str, str] | None = None,
    request: SpectrumRequest | None = None,
    least_counts: float = LEAST_COUNTS,
    catalog: CalibrationCatalog = SHIPPED,
    table: ThermalTable | None = None,
) -> tuple[RegionRecipe, Callable[[FileReference], Path]]:
    """Make a recipe of region spectra from files: find the pointing and, unless it is given, the location.

    Parameters
    ----------
    image : ImageRequest
        With the time range, the energies to image, one method, grid, and number and seed of the simulated copies.
    regions, models, request, least_counts, catalog, table
        See `region_recipe`.
    science, background : Path
        L1 pixel data.
    aspect : sequence of paths
        Auxiliary files around the time range.
    sources : sequence of (band, number)
        More regions: so many sources fitted to the visibilities of a band in keV, a single one as an ellipse, several
        as circles. For a forward fit, positions and sizes of all regions are then refined in all channels together.

    Returns
    -------
    RegionRecipe, callable
        The recipe, and the path of each of its files.

    Raises
    ------
    InvalidProduct, SelectionError, CalibrationError, ReconstructionError
        When no image can be made from the files or the selection.
    """
    images = prepare_recipe(image, science, background, aspect, catalog=catalog)
    paths = {path.name: path for path in (science, background, *aspect) if path is not None}

    def locate(reference: FileReference) -> Path:
        return paths[reference.name]

    data = prepare_data(images, locate, catalog) if sources else None
    fitted = [] if data is None else [one for band, n in sources for one in fitted_sources(data, images.grid, band, n)]
    recipe = region_recipe(
        images,
        [*regions, *fitted],
        locate=locate,
        energy=image.energy,
        models=models,
        request=request,
        copies=image.ensemble,
        seed=image.seed,
        least_counts=least_counts,
        catalog=catalog,
        table=table,
    )
    if data is not None and recipe.method is Method.VIS_FWDFIT:
        refined = refined_sources(recipe, data, data.science.e_low, data.science.e_high)
        recipe = replace(recipe, regions=refined)
    return recipe, locate


def _method_of(images: Recipe) -> Method:
    usable = [method for method in images.methods if method in REGION_METHODS]
    return usable[0] if len(usable) == 1 else Method.CLEAN
