"""VIS_FWDFIT as a whole: IDL's numbers of 2020-06-07, IDL's positions of 56 real flares, properties, bad input."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, replace

import numpy as np
import pytest

from stixcore.calibration.grids import AmplitudeScheme
from stixcore.calibration.pointing import pointing_at
from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix, position_angle_to_hpc, stix_to_hpc
from stixcore.errors import ReconstructionError, SelectionError
from stixcore.fits.read import read_pixel_data
from stixcore.imaging.forward_fit import ForwardFitParameters, Uncertainty, fit_circle, forward_fit
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.location import FlareLocation, locate_flare
from stixcore.imaging.metrics import signal_to_noise
from stixcore.imaging.reconstruction import SURFACE_BRIGHTNESS, Method, StopReason, chi_square
from stixcore.instrument.geometry import IMAGING_LABELS
from stixcore.simulation.quick import simulate_pixel_sums, true_visibilities
from stixcore.simulation.sources import Circle, Ellipse, Loop
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import sum_pixels
from stixcore.visibility.visibilities import Visibilities

GRID = ImageGrid((129, 129), 2.0)


# --- 2020-06-07 -------------------------------------------------------------------------------------------------------


def test_circle_of_idl(june_2020):
    fit = forward_fit(june_2020, GRID, ForwardFitParameters("circle"))
    (row,), (source,) = fit.model_selection, fit.sources
    assert (fit.method, fit.unit, fit.stopped_by) == (Method.VIS_FWDFIT, SURFACE_BRIGHTNESS, StopReason.CONVERGED)
    assert row["chi2"] == pytest.approx(118.39819, rel=1e-5)
    assert (row["ndof"], row["n_par"]) == (44, 4)
    assert row["reduced_chi2"] == pytest.approx(2.690868, rel=1e-5)
    assert source["shape"] == "circle"
    for name, value in (("flux", 14.81518), ("x", -3.44357), ("y", -3.08582), ("fwhm", 34.69529)):
        assert source[name] == pytest.approx(value, abs=0.002)
    assert fit.total_flux == source["flux"]
    assert fit.history[-1] == pytest.approx(row["chi2"])
    assert fit.n_iter == fit.history.size - 1
    assert fit.elapsed > 0


def test_ellipse_of_idl(june_2020):
    fit = forward_fit(june_2020, GRID, ForwardFitParameters("ellipse"))
    (row,), (source,) = fit.model_selection, fit.sources
    assert row["chi2"] == pytest.approx(103.32690, rel=1e-5)
    assert row["reduced_chi2"] == pytest.approx(2.460164, rel=1e-5)
    for name, value in (
        ("flux", 14.97192), ("x", -3.00738), ("y", -3.30625), ("fwhm_max", 40.1517), ("fwhm_min", 30.2846),
        ("position_angle", 141.994),
    ):  # fmt: skip
        assert source[name] == pytest.approx(value, abs=0.01)
    assert (source["ec"], source["es"]) == pytest.approx((-0.2222217, 0.1736530), abs=1e-4)


def test_loop_of_idl(june_2020):
    """IDL divides by 40 degrees of freedom, as if a loop had 8 parameters; it has 7. Its loop angle is 20° ± 46°."""
    fit = forward_fit(june_2020, GRID, ForwardFitParameters("loop"))
    (row,), (source,) = fit.model_selection, fit.sources
    assert row["ndof"] == 41
    assert row["chi2"] / 40 == pytest.approx(2.588464, rel=1e-5)
    for name, value, tolerance in (
        ("flux", 14.95534, 0.01), ("x", -3.05593, 0.01), ("y", -3.41192, 0.01), ("fwhm_max", 39.833, 0.01),
        ("fwhm_min", 30.326, 0.01), ("position_angle", 53.642, 0.05), ("loop_angle", 20.005, 0.2),
    ):  # fmt: skip
        assert source[name] == pytest.approx(value, abs=tolerance)


def test_two_circles_of_idl(june_2020):
    fit = forward_fit(june_2020, GRID, ForwardFitParameters(("circle", "circle")))
    (row,) = fit.model_selection
    assert row["chi2"] == pytest.approx(56.98684, rel=1e-5)
    assert row["reduced_chi2"] == pytest.approx(1.424671, rel=1e-5)
    found = [[source[name] for name in ("flux", "x", "y", "fwhm")] for source in fit.sources]
    assert found == [  # brightest first
        pytest.approx([10.6291, -7.616, 0.519, 27.038], abs=0.01),
        pytest.approx([4.6135, 16.476, -18.608, 34.709], abs=0.01),
    ]


def test_chi_square_is_that_of_the_image(june_2020):
    for configuration in ("circle", "ellipse", "loop", "auto"):
        fit = forward_fit(june_2020, GRID, ForwardFitParameters(configuration))
        predicted = FourierOperator(june_2020.u, june_2020.v, GRID).forward(fit.image)
        assert chi_square(predicted, june_2020, fit.n_parameters) == pytest.approx(fit.chi2, rel=1e-3)
        (row,) = (row for row in fit.model_selection if row["chosen"])
        assert fit.chi2 == pytest.approx(row["reduced_chi2"])


# --- November 2022 ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Located:
    """A flare, its location, and a circle fitted around it as IDL did."""

    request_id: str
    offset: np.ndarray
    idl_sigma: np.ndarray
    location: FlareLocation
    vis: Visibilities
    reduced_chi2: float
    sigma: np.ndarray


@pytest.fixture(scope="module")
def counts_of(november):
    """A, B, C, D sums and pointing of the 56 flares with a file, in the window of IDL's map, 6-10 keV."""
    return [
        (
            flare,
            pointing_at(november.aspects, flare.start, flare.end),
            sum_pixels(read_pixel_data(flare.file), flare.start, flare.end, 6, 10, background=november.background),
        )
        for flare in november.flares
        if flare.file is not None
    ]


@pytest.fixture(scope="module", params=list(AmplitudeScheme))
def located(request, counts_of, november):
    with (november.folder / "idl" / "reference_locations.csv").open(newline="") as stream:
        sigma = {
            row["request_id"]: np.array([float(row["fwdfit_sigma_x"]), float(row["fwdfit_sigma_y"])])
            for row in csv.DictReader(stream)
        }
    found = []
    for flare, pointing, pixels in counts_of:
        at = locate_flare(form_visibilities(pixels, scheme=request.param), pointing, pointing.rsun)
        x, y = hpc_to_stix(at.x, at.y, pointing)
        vis = form_visibilities(pixels, flare_xy=(float(x), float(y)), scheme=request.param)
        vis = vis.to_helioprojective(pointing, at.x, at.y)
        fit = forward_fit(vis, ImageGrid((1, 1), 2.0, (at.x, at.y)), ForwardFitParameters("circle"))
        (circle,), (row,) = fit.sources, fit.model_selection
        found.append(
            Located(
                flare.request_id,
                np.array([circle["x"], circle["y"]]) - flare.forward_fit,
                sigma[flare.request_id],
                at,
                vis,
                row["reduced_chi2"],
                np.array([circle["x_sigma"], circle["y_sigma"]]),
            )
        )
    return found


def test_positions_of_56_flares_against_idl(located):
    """Median 0.45″, 90 % within 1.8″ with the default amplitudes; 0.42″ and 1.8″ with those IDL had then."""
    offset = np.array([flare.offset for flare in located])
    sigma = np.array([flare.idl_sigma for flare in located])
    distance = np.hypot(*offset.T)
    assert distance.size == 56
    assert np.median(distance) <= 0.5
    assert np.percentile(distance, 90) <= 2.2
    # no systematic offset: the mean weighted by IDL's sigma is known to 0.08″
    assert np.abs((offset / sigma**2).sum(axis=0) / (1.0 / sigma**2).sum(axis=0)).max() <= 0.1
    # and in IDL's sigma they agree better than two independent measurements would
    assert (np.abs(offset) <= sigma).mean() >= 0.85
    assert np.abs(offset / sigma).max() <= 2.0


def test_flares_far_from_idl_are_known_to_be_doubtful(located):
    """Both flares beyond 5″ have so little signal that their own error bar is 3″ or more, and IDL's 7″ or more."""
    far = {flare.request_id: flare for flare in located if np.hypot(*flare.offset) > 5.0}
    assert set(far) == {"2211106153", "2211119540"}
    for flare in far.values():
        reasons = {
            "rival peak": flare.location.sidelobe_ratio >= 0.9,
            "bad fit": flare.reduced_chi2 >= 5.0,
            "few counts": signal_to_noise(flare.vis.amplitude, flare.vis.sigma) < 3.5,
        }
        assert any(reasons.values()), flare.request_id
        assert np.hypot(*flare.sigma) > 2.5
        assert np.hypot(*flare.idl_sigma) > 7.0


# --- properties -------------------------------------------------------------------------------------------------------


def test_positions_and_angles_come_out_helioprojective():
    """A source given in helioprojective coordinates, seen through a rolled and shifted instrument."""
    pointing = Pointing(PointingSource.MANUAL, 63.0, 120.0, -80.0)
    source = Ellipse(400.0, -250.0, 36.0, 16.0, 25.0)
    vis = true_visibilities([source], 8.0, pointing=pointing).to_helioprojective(pointing, 390.0, -260.0)
    grid = ImageGrid((65, 65), 2.0, (390.0, -260.0))
    fit = forward_fit(vis, grid, ForwardFitParameters("ellipse"))
    (found,) = fit.sources
    assert (found["flux"], found["x"], found["y"]) == pytest.approx((8.0, 400.0, -250.0), abs=1e-3)
    assert (found["fwhm_max"], found["fwhm_min"]) == pytest.approx((36.0, 16.0), abs=1e-3)
    assert found["position_angle"] == pytest.approx(25.0, abs=1e-3)
    assert fit.peak == pytest.approx((400.0, -250.0), abs=1.0)


def test_rotating_uv_is_rotating_the_sky():
    pointing = Pointing(PointingSource.MANUAL, 63.0, 120.0, -80.0)
    in_stix = true_visibilities([Loop(15.0, 40.0, 44.0, 30.0, 70.0, 80.0)], 8.0)
    x, y = stix_to_hpc(0.0, 0.0, pointing)
    in_hpc = in_stix.to_helioprojective(pointing, float(x), float(y))
    parameters = ForwardFitParameters("loop")
    (one,) = forward_fit(in_stix, ImageGrid((65, 65), 2.0), parameters).sources
    (two,) = forward_fit(in_hpc, ImageGrid((65, 65), 2.0, (float(x), float(y))), parameters).sources
    assert (one["x"], one["y"]) == pytest.approx((15.0, 40.0), abs=1e-3)
    assert one["position_angle"] == pytest.approx(70.0, abs=0.01)
    assert one["loop_angle"] == pytest.approx(80.0, abs=0.05)
    assert (two["x"], two["y"]) == pytest.approx([float(v) for v in stix_to_hpc(15.0, 40.0, pointing)], abs=1e-3)
    assert two["position_angle"] == pytest.approx(float(position_angle_to_hpc(70.0, 63.0)), abs=0.01)
    for name in ("flux", "fwhm_max", "fwhm_min"):
        assert two[name] == pytest.approx(one[name], abs=1e-3)
    assert abs(two["loop_angle"]) == pytest.approx(80.0, abs=0.05)


def numbers(fit):
    return [[value for key, value in source.items() if key != "shape"] for source in fit.sources]


def test_order_of_visibilities_does_not_matter(june_2020):
    order = np.random.default_rng(1).permutation(24)
    mixed = june_2020.select([june_2020.labels[i] for i in order])
    one, two = (forward_fit(vis, GRID) for vis in (june_2020, mixed))
    assert [s["shape"] for s in one.sources] == [s["shape"] for s in two.sources]
    for first, second in zip(numbers(one), numbers(two), strict=True):
        assert first == pytest.approx(second, rel=1e-3, abs=1e-3)


def test_scale_of_the_data_does_not_matter(june_2020):
    for factor in (1e-9, 1e9):
        scaled = replace(june_2020, vis=june_2020.vis * factor, sigma=june_2020.sigma * factor)
        fit = forward_fit(scaled, GRID, ForwardFitParameters("circle"))
        (source,) = fit.sources
        assert (source["flux"] / factor, source["x"], source["fwhm"]) == pytest.approx(
            (14.81518, -3.44357, 34.69529), abs=1e-3
        )
        assert source["flux_sigma"] / source["flux"] == pytest.approx(0.036, abs=0.002)


def test_the_same_input_gives_the_same_fit(june_2020):
    parameters = ForwardFitParameters("auto", uncertainty="ensemble", n_ensemble=20, seed=3)
    one, two = (forward_fit(june_2020, GRID, parameters) for _ in range(2))
    assert one.sources == two.sources
    assert (one.image == two.image).all()


def test_flux_width_and_place_at_10_000_counts():
    """Flux within 5 %, FWHM within 10 %, place within 1″ in the median of simulated flares."""
    rng = np.random.default_rng(6)
    flux, fwhm, place = [], [], []
    for _ in range(60):
        x, y = rng.uniform(-30.0, 30.0, 2)
        source = Circle(x, y, rng.uniform(12.0, 35.0))
        pixels = simulate_pixel_sums([source], 1e4, rng)
        (found,) = forward_fit(form_visibilities(pixels), GRID, ForwardFitParameters("circle")).sources
        truth = form_visibilities(simulate_pixel_sums([source], 1e4))
        (exact,) = forward_fit(truth, GRID, ForwardFitParameters("circle")).sources
        assert exact["fwhm"] == pytest.approx(source.fwhm, abs=0.01)
        flux.append(abs(found["flux"] / exact["flux"] - 1.0))
        fwhm.append(abs(found["fwhm"] / source.fwhm - 1.0))
        place.append(np.hypot(found["x"] - x, found["y"] - y))
    assert np.median(flux) < 0.05
    assert np.median(fwhm) < 0.10
    assert np.median(place) < 1.0


# --- fixed values -----------------------------------------------------------------------------------------------------


def fixed_fit(vis, configuration, *fixed):
    return forward_fit(vis, GRID, ForwardFitParameters(configuration, fixed=fixed))


def test_fixing_at_the_optimum_changes_nothing(june_2020):
    free = forward_fit(june_2020, GRID, ForwardFitParameters("ellipse"))
    (best,) = free.sources
    for names in (("x", "y"), ("fwhm",), ("fwhm_max",), ("position_angle",), ("fwhm_max", "fwhm_min"), ("flux",)):
        fit = fixed_fit(june_2020, "ellipse", {name: best[name] for name in names})
        (source,), (row,) = fit.sources, fit.model_selection
        assert row["n_par"] == 6 - len(names)
        assert row["chi2"] == pytest.approx(free.model_selection[0]["chi2"], rel=1e-6), names
        for name in ("flux", "x", "y", "fwhm_max", "fwhm_min", "position_angle"):
            assert source[name] == pytest.approx(best[name], abs=0.02), names
        assert all(source[f"{name}_sigma"] == 0 for name in names)


@pytest.mark.parametrize(
    "fixed",
    [
        {"flux": 10.0},
        {"x": 5.0, "y": 5.0},
        {"fwhm_max": 60.0},
        {"fwhm_min": 10.0},
        {"position_angle": 10.0},
        {"fwhm_max": 50.0, "fwhm_min": 20.0, "position_angle": 10.0},
        {"loop_angle": -120.0},
        {"fwhm": 30.0, "loop_angle": 100.0},
    ],
)
def test_fixed_values_stay(june_2020, fixed):
    shape = "loop" if "loop_angle" in fixed else "ellipse"
    fit = fixed_fit(june_2020, shape, fixed)
    (source,) = fit.sources
    assert {name: source[name] for name in fixed} == pytest.approx(fixed)
    assert {source[f"{name}_sigma"] for name in fixed} == {0.0}
    free = forward_fit(june_2020, GRID, ForwardFitParameters(shape))
    assert fit.model_selection[0]["chi2"] >= free.model_selection[0]["chi2"] - 1e-6


def test_fixed_positions_are_coordinates_of_the_grid(june_2020):
    grid = ImageGrid((65, 65), 2.0, (-1625.0, -700.0))
    parameters = ForwardFitParameters(("circle", "circle"), fixed=({}, {"x": -1608.5, "y": -718.6}))
    fit = forward_fit(june_2020, grid, parameters)
    assert (fit.sources[1]["x"], fit.sources[1]["y"]) == pytest.approx((-1608.5, -718.6))
    assert (fit.sources[0]["x"], fit.sources[0]["y"]) == pytest.approx((-1632.6, -699.5), abs=0.2)
    assert fit.model_selection[0]["chi2"] == pytest.approx(56.98684, abs=0.01)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vis": np.full(24, np.nan + 0j)}, "not a finite number"),
        ({"vis": np.zeros(24, dtype=complex)}, "all visibilities are zero"),
        ({"sigma": np.zeros(24)}, "sigma"),
        ({"u": np.full(24, np.nan)}, r"\(u, v\)"),
        ({"u": np.zeros(24), "v": np.zeros(24)}, r"\(u, v\)"),
    ],
)
def test_unusable_visibilities(june_2020, change, words):
    with pytest.raises(ReconstructionError, match=words):
        forward_fit(replace(june_2020, **change), GRID)


@pytest.mark.parametrize("configuration", ["auto", "circle", "ellipse", ("circle", "circle")])
@pytest.mark.parametrize("n", [1, 2])
def test_too_few_visibilities(june_2020, configuration, n):
    with pytest.raises(ReconstructionError, match="too few"):
        forward_fit(june_2020.select(IMAGING_LABELS[:n]), GRID, ForwardFitParameters(configuration))


@pytest.mark.parametrize("n", [3, 4, 5, 8, 12])
def test_few_visibilities_give_what_they_can(june_2020, n):
    fit = forward_fit(june_2020.select(IMAGING_LABELS[:n]), GRID)
    assert np.isfinite(fit.image).all()
    assert all(2 * n > row["n_par"] for row in fit.model_selection)
    assert all(np.isfinite(row["chi2"]) for row in fit.model_selection)


def test_noise_gives_no_nan(june_2020):
    rng = np.random.default_rng(8)
    for _ in range(4):
        vis = replace(june_2020, vis=rng.standard_normal(24) + 1j * rng.standard_normal(24), sigma=np.ones(24))
        fit = forward_fit(vis, ImageGrid((1, 1), 2.0))
        assert np.isfinite(fit.image).all()
        assert np.isfinite([value for source in numbers(fit) for value in source]).all()


def test_a_negative_source_is_no_source(june_2020):
    """Visibilities of a hole: the flux stays at its lower bound and the fit says so."""
    fit = forward_fit(replace(june_2020, vis=-june_2020.vis), GRID, ForwardFitParameters("circle"))
    (row,) = fit.model_selection
    assert row["reduced_chi2"] > 10
    assert "bound" in row["objection"]
    assert fit.image.min() >= 0


@pytest.mark.parametrize(
    "given",
    [
        {"configuration": "square"},
        {"configuration": ()},
        {"configuration": ("auto", "circle")},
        {"configuration": ("circle",) * 7},
        {"configuration": "auto", "fixed": ({"x": 1.0},)},
        {"configuration": ("circle", "circle"), "fixed": ({"x": 1.0},)},
        {"configuration": "circle", "fixed": ({"loop_angle": 1.0},)},
        {"n_ensemble": 1},
        {"position_limit": 0.0},
        {"fwhm_limits": (10.0, 5.0)},
        {"flux_limits": (0.0, 1.5)},
    ],
)
def test_impossible_parameters(given):
    with pytest.raises(SelectionError):
        ForwardFitParameters(**given)


def test_parameters_survive_json():
    parameters = ForwardFitParameters(
        ("circle", "loop"), fixed=({"x": 3.0}, {}), uncertainty=Uncertainty.ENSEMBLE, seed=4
    )
    again = ForwardFitParameters(**json.loads(json.dumps(asdict(parameters))))
    assert again == parameters


# --- a circle alone ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_a_circle_alone_is_the_circle_of_the_whole_fit(seed):
    """Faint and wide sources as well, which have minima close to the best one."""
    rng = np.random.default_rng(seed)
    source = Circle(*rng.uniform(-60.0, 60.0, 2), float(rng.choice([8.0, 25.0, 60.0])))
    vis = form_visibilities(simulate_pixel_sums([source], 3000.0, rng, background=1500.0))
    whole = forward_fit(vis, GRID, ForwardFitParameters("circle"))
    alone, chi2 = fit_circle(vis, 100.0)
    assert chi2 == pytest.approx(whole.chi2, rel=1e-6)
    (expected,) = whole.sources
    sigma = expected["x_sigma"]
    assert (alone["x"], alone["y"]) == pytest.approx((expected["x"], expected["y"]), abs=1e-3 * sigma)
    assert alone["x_sigma"] == pytest.approx(sigma, rel=1e-3)


def test_a_circle_alone_needs_as_many_visibilities_as_any(june_2020):
    with pytest.raises(ReconstructionError, match="too few to fit circle"):
        fit_circle(june_2020.select(june_2020.labels[:2]), 100.0)
