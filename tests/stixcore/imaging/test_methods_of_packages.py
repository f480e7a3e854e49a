"""Methods of installed packages: found, checked, run, refused, and gone again."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import Field

from stixcore.calibration.grids import AmplitudeScheme
from stixcore.coordinates import Pointing, PointingSource
from stixcore.errors import ReconstructionError, SelectionError
from stixcore.imaging import registry
from stixcore.imaging.declaration import ImagingMethod, Package, StoredParameters
from stixcore.imaging.ensemble import perturbed_ensemble
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.methods import ImagingInput, default_methods, run_method
from stixcore.imaging.reconstruction import PER_BEAM, Method, Reconstruction, known_methods, method_name
from stixcore.options import option_schemas, read_options
from stixcore.recipe import Recipe
from stixcore.simulation.quick import simulate_pixel_sums
from stixcore.simulation.sources import Circle
from stixcore.visibility.form import form_visibilities
from tests.stixcore.imaging.installed_packages import install, install_example
from tests.stixcore.test_recipe import a_recipe

ROOT = Path(__file__).resolve().parents[3]
NAME = "uniform"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of installed packages that this process reads from now on."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    known = set(sys.modules)
    registry.plug_ins.cache_clear()
    yield folder
    registry.plug_ins.cache_clear()
    for name in set(sys.modules) - known:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == folder:
            del sys.modules[name]


@pytest.fixture
def look_again(site: Path) -> Callable[[], registry.PlugIns]:
    """Looks for packages as a new process does."""

    def look() -> registry.PlugIns:
        registry.plug_ins.cache_clear()
        return registry.plug_ins()

    return look


@pytest.fixture
def uniform(site: Path, look_again: Callable[[], registry.PlugIns]) -> Method:
    install_example(site)
    assert look_again().faults == ()
    return Method(NAME)


def data() -> ImagingInput:
    pixels = simulate_pixel_sums([Circle(30.0, -20.0, 15.0)], 1e5)
    vis, grid = form_visibilities(pixels), ImageGrid((65, 65), 2.0)
    pointing = Pointing(PointingSource.MANUAL, 0.0, 0.0, 0.0)
    return ImagingInput(
        vis, pixels, grid, FourierOperator(vis.u, vis.v, grid), pointing, (0.0, 0.0), AmplitudeScheme.GSW_2026
    )


# Found ------------------------------------------------------------------------------------------------------------


def test_a_package_adds_a_method_by_its_entry_point(uniform):
    assert known_methods() == (*Method, uniform)
    assert (str(uniform), method_name(uniform), uniform is Method("uniform")) == (NAME, "Uniform weights", True)
    assert registry.package_of(uniform) == Package("stix-uniform", "1.0")
    assert uniform not in default_methods()  # previews make it only if its package says so


def test_its_image_is_that_of_the_formula(uniform):
    """Power 0 is natural weighting, whose image the built-in back projection has."""
    given = data()
    kind = type(default_options(uniform))
    natural = run_method(uniform, kind(power=0.0), given)
    built_in = run_method(Method.BP, default_methods()[Method.BP], given)
    np.testing.assert_allclose(natural.image, built_in.image, rtol=1e-12, atol=1e-15)
    sharp = run_method(uniform, kind(), given)
    assert sharp.method is uniform
    assert np.hypot(*np.subtract(sharp.peak, (30.0, -20.0))) <= 2.0
    assert not np.allclose(sharp.image, natural.image)


def default_options(method: Method) -> Any:
    return read_options({"methods": [str(method)]}).methods[method]


def test_errors_come_from_simulated_copies_as_for_built_in_methods(uniform):
    copies = perturbed_ensemble(uniform, default_options(uniform), data(), 4, 3)
    assert copies.method is uniform
    assert (copies.error > 0).all()


def test_its_parameters_have_a_schema_with_help_and_bounds_and_are_read_by_it(uniform):
    _, methods, _ = option_schemas()["methods"]["oneOf"]
    assert methods["properties"][NAME]["properties"] == {
        "power": {
            "type": "number",
            "minimum": 0,
            "maximum": 3,
            "description": "0: natural weighting, 1: uniform",
            "default": 1.0,
        }
    }
    assert read_options({"methods": {NAME: {"power": 2}}}).methods[uniform].power == 2.0
    with pytest.raises(ValueError, match="less than or equal to 3"):
        read_options({"methods": {NAME: {"power": 4}}})
    with pytest.raises(ValueError, match="uniform has no parameter 'gain'; it has power"):
        read_options({"methods": {NAME: {"gain": 1}}})


# Recipes ----------------------------------------------------------------------------------------------------------


def recipe_of(method: Method) -> Recipe:
    return a_recipe(methods={Method.BP: default_methods()[Method.BP], method: default_options(method)})


def test_a_recipe_names_the_package_and_its_version(uniform):
    recipe = recipe_of(uniform)
    assert recipe.to_dict()["packages"] == {NAME: {"name": "stix-uniform", "version": "1.0"}}
    assert Recipe.from_json(recipe.to_json()) == recipe
    without = replace(recipe, methods={Method.BP: recipe.methods[Method.BP]})
    assert "packages" not in without.to_dict()


@pytest.mark.parametrize("installed", ["none", "1.1"])
def test_a_recipe_is_read_without_its_package_but_not_made(site, uniform, look_again, installed):
    recipe, given = recipe_of(uniform), data()
    for path in site.glob("*.dist-info"):
        path.rename(site / "removed")
    if installed != "none":
        install_example(site, installed)
    assert look_again().faults == ()
    again = Recipe.from_json(recipe.to_json())
    assert (again.recipe_id, again.to_json()) == (recipe.recipe_id, recipe.to_json())
    (stored,) = (again.methods[method] for method in again.methods if method == NAME)
    assert stored == StoredParameters({"power": 1.0})
    from stixcore.reconstruct import run_methods

    images, failures, _ = run_methods(again, given)
    assert set(images) == {Method.BP}
    assert "the recipe was made with stix-uniform 1.0, but" in failures[uniform]
    assert ("stix-uniform 1.1 is installed" if installed != "none" else "no package") in failures[uniform]


def test_a_recipe_of_an_unknown_method_without_a_package_is_refused():
    document = a_recipe().to_dict()
    document["methods"]["unheard"] = {}
    with pytest.raises(SelectionError, match=r"methods: expected names among full_disk_bp, .*, found .unheard"):
        Recipe.from_json(json.dumps(document))
    document["packages"] = {"unheard": {"name": "x; import os", "version": "1"}}
    with pytest.raises(SelectionError, match=r"packages\.unheard\.name: expected a text that matches"):
        Recipe.from_json(json.dumps(document))


# Refused ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wide:
    power: Annotated[float, Field(le=1.0)] = 2.0


@dataclass(frozen=True)
class Needed:
    power: float


@dataclass(frozen=True)
class Odd:
    power: complex = 1j


@dataclass
class Thawed:
    power: float = 1.0


def declared(**changes: Any) -> ImagingMethod:
    given = {"name": "mine", "display_name": "Mine", "parameters": replace_nothing(), "run": lambda *_: None}
    return ImagingMethod(**(given | changes))


@dataclass(frozen=True)
class Nothing:
    pass


def replace_nothing() -> Nothing:
    return Nothing()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": "Mine"}, "the name must match"),
        ({"name": "all"}, "none of all, auto, none"),
        ({"name": "a" * 21}, "the name must match"),
        ({"name": 3}, "the name must match"),
        ({"display_name": " "}, "display_name must be"),
        ({"description": "two\nlines"}, "description must be"),
        ({"run": None}, "run must be a function"),
        ({"parameters": Thawed()}, "frozen dataclass"),
        ({"parameters": {}}, "frozen dataclass"),
        ({"parameters": Needed(1.0)}, "must have a type and a default"),
        ({"parameters": Odd()}, "Odd.power must be a bool"),
        ({"parameters": Wide()}, "outside its own bounds"),
    ],
)
def test_what_is_wrong_with_a_declaration_is_said(changes, fault):
    assert declared().fault() == ""
    assert fault in declared(**changes).fault()


@pytest.mark.parametrize(
    ("packages", "fault"),
    [
        ({"stix-a": {"clean": "stix_a:M"}}, "stix-a 1.0: the method clean is left out, because stix-flare-archive has"),
        (
            {"stix-a": {"mine": "stix_a:M"}, "stix-b": {"mine": "stix_b:M"}},
            "The method mine is left out, because stix-a 1.0 and stix-b 1.0 both have one of this name",
        ),
        ({"stix-a": {"Mine": "stix_a:M"}}, "stix-a 1.0: the method 'Mine' is left out, because its name must match"),
        (
            {"stix-a": {"mine": "stix_missing:M"}},
            "stix-a 1.0: the method mine is left out, because it cannot be imported: ModuleNotFoundError: No module",
        ),
        ({"stix-a": {"mine": "json:dumps"}}, "json:dumps is not an ImagingMethod"),
        ({"stix-a": {"other": "stix_uniform:UNIFORM"}}, "its entry point is named other and its declaration uniform"),
    ],
)
def test_a_package_that_cannot_be_used_is_left_out_and_the_others_go_on(site, look_again, caplog, packages, fault):
    install_example(site)
    for name, points in packages.items():
        install(site, name, "1.0", points)
    found = look_again()
    (said,) = found.faults
    assert fault in said
    assert [record.getMessage() for record in caplog.records] == [said]  # one line, without a traceback
    assert list(found.methods) == [NAME]
    assert known_methods() == (*Method, Method(NAME))


def test_code_of_a_package_that_exits_while_it_is_imported_does_no_harm(site, look_again):
    (site / "stix_exits.py").write_text("raise SystemExit(3)\n")
    install(site, "stix-exits", "1.0", {"mine": "stix_exits:M"})
    (said,) = look_again().faults
    assert "SystemExit: 3" in said


def test_an_unknown_name_is_refused_with_the_known_ones(uniform):
    with pytest.raises(ValueError, match=r"'nope' is not a method; the methods are full_disk_bp, .*, uniform"):
        Method("nope")
    with pytest.raises(ValueError, match=r"expected full_disk_bp, .* or uniform, found 'nope'"):
        read_options({"methods": ["nope"]})
    with pytest.raises(ValueError, match="the name of a method matches"):
        Method.named("../x")


def broken(given: ImagingInput, how: str) -> Any:
    image = np.ones(given.grid.shape)
    made = Reconstruction(Method.named("mine"), given.grid, image, PER_BEAM)
    holes = image.copy()
    holes[3, 4] = np.nan
    other = ImageGrid(given.grid.shape, 3.0)
    return {
        "none": None,
        "method": replace(made, method=Method.BP),
        "grid": replace(made, grid=other),
        "unit": replace(made, unit="K"),
        "shape": replace(made, image=image[1:]),
        "dtype": replace(made, image=image.astype(np.float32)),
        "finite": replace(made, image=holes),
        "plane": replace(made, planes={"residual": image[:2]}),
    }[how]


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ("none", "expected a Reconstruction, found NoneType"),
        ("method", "expected the method mine, found bp"),
        ("grid", "expected the grid of the recipe"),
        ("unit", "found .*'K'"),
        ("shape", r"image: expected float64 \(65, 65\), found float64 \(64, 65\)"),
        ("dtype", "image: expected float64 .*, found float32"),
        ("finite", "image: 1 pixels are not finite"),
        ("plane", "residual: expected float64"),
        ("raises", "Mine of stix-a 1.0 failed: KeyError: 'raises'"),
    ],
)
def test_a_result_is_checked_before_it_is_used(monkeypatch, how, fault):
    mine = declared(run=lambda given, _: broken(given, how), deconvolved=False, package=Package("stix-a", "1.0"))
    monkeypatch.setattr(registry, "plug_ins", lambda: registry.PlugIns({"mine": mine}))
    with pytest.raises(ReconstructionError, match=fault):
        run_method(Method("mine"), mine.parameters, data())


# Other processes --------------------------------------------------------------------------------------------------


def test_a_method_is_one_object_however_it_is_reached():
    method = Method.named(NAME)
    assert pickle.loads(pickle.dumps(method)) is method
    assert (method == NAME, hash(method) == hash(NAME), f"{method}", {NAME: 1}[method]) == (True, True, NAME, 1)
    assert pickle.loads(pickle.dumps(Method.CLEAN)) is Method.CLEAN


def test_other_processes_find_the_method_and_read_what_was_pickled(site, uniform, tmp_path):
    (tmp_path / "recipe.pickle").write_bytes(pickle.dumps((uniform, default_options(uniform))))
    code = (
        "import pickle, sys; from pathlib import Path; from stixcore import Method;"
        "method, parameters = pickle.loads(Path(sys.argv[1]).read_bytes());"
        "assert method is Method('uniform'); print(method, parameters.power)"
    )
    paths = os.pathsep.join([str(site), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "recipe.pickle"],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("uniform 1.0\n", "")


def test_importing_looks_for_no_packages():
    code = (
        "import stixcore; from stixcore import Method;"
        "from stixcore.options import read_options; Method('clean'); from stixcore.imaging.registry import plug_ins;"
        "print(plug_ins.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "0\n"
