"""Exports of selected images: options, URLs of the downloads, and the progress of the worker."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

import numpy as np
import param

from archive import Archive, Image
from archive.scripts.selections import LINEAR, LOG, AnimationLooks, OverlayLooks
from dashboards.shared import formatting
from dashboards.shared.access import Visitor
from dashboards.shared.source import ArchiveSource, journal_of
from dashboards.shared.typed_numbers import TypedNumber
from jobs.queue.journal import Journal, Request, RequestState
from jobs.queue.requests import ImagingRequest
from jobs.renderings.overlay_maps import keep_map, maps_of
from jobs.renderings.requests import FIELDS, AnimationRequest, CubeRequest, OverlayRequest, RenderingRequest
from jobs.renderings.run import Rendering, find_rendering, submit_rendering
from jobs.shared.errors import BadRequest, NotAllowed
from stixcore.errors import StixError
from stixcore.imaging.registry import known_names

OTHER_MAPS = {
    "SDO/AIA 94 Å": ("aia", 94), "SDO/AIA 131 Å": ("aia", 131), "SDO/AIA 171 Å": ("aia", 171),
    "SDO/AIA 193 Å": ("aia", 193), "SDO/AIA 304 Å": ("aia", 304), "SDO/AIA 1600 Å": ("aia", 1600),
    "Solar Orbiter/EUI 174 Å": ("eui", 174), "Solar Orbiter/EUI 304 Å": ("eui", 304),
}  # fmt: skip
VIEWS = {"the other instrument": "other", "Solar Orbiter": "stix"}
ASSUMPTIONS = {
    "on the solar surface": "surface",
    "on a spherical screen off the disk": "spherical",
    "in the plane of the sky off the disk": "planar",
}
RULES = {"s each": "fixed", "counts each": "counts", "bins of the file": "native"}
CUBE_METHODS = tuple(method for method in known_names() if method != "full_disk_bp")
_BAND = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[-–]\s*(\d+(?:\.\d+)?)\s*", re.ASCII)


@dataclass(frozen=True)
class Progress:
    """Progress of a request: its state, a description, and the completed fraction (0 to 1)."""

    state: str
    sentence: str
    share: float


class ExportState(param.Parameterized):
    """Options for animation, overlay, cube and download, and the requests and URLs made from them."""

    frame_time = TypedNumber(0.25, bounds=(0.02, 10.0), step=0.05, doc="s that a frame is shown")
    scale: param.Selector[Any] = param.Selector(default=LINEAR, objects=[LINEAR, LOG], doc="Colours")
    common_scale = param.Boolean(default=True, doc="One colour scale per band and method")
    field = TypedNumber(0.0, bounds=(0.0, FIELDS[1]), step=10.0, doc="Side of the field, arcsec; 0: everything")
    size: param.Selector[Any] = param.Selector(default=640, objects=[256, 512, 640, 960], doc="Side of a frame, pixels")

    other: param.Selector[Any] = param.Selector(default="SDO/AIA 171 Å", objects=list(OTHER_MAPS), doc="Fetched map")
    map_name = param.String("", doc="Map in the archive; empty: none")
    view: param.Selector[Any] = param.Selector(default="other", objects=list(VIEWS.values()), doc="Whose view")
    assumption: param.Selector[Any] = param.Selector(
        default="surface", objects=list(ASSUMPTIONS.values()), doc="Third dimension"
    )

    cube_start = param.String("", doc="UTC at Solar Orbiter")
    cube_end = param.String("", doc="UTC at Solar Orbiter")
    cube_rule: param.Selector[Any] = param.Selector(default="fixed", objects=list(RULES.values()), doc="Time steps")
    cube_amount = TypedNumber(20.0, bounds=(0.0, None), step=1.0, doc="Seconds or counts of a step")
    cube_bands = param.String("4-10", doc="Energy ranges in keV, with commas between them")
    cube_methods = param.List(default=["clean", "vis_fwdfit"], item_type=str, doc="Methods")

    inputs = param.Boolean(default=False, doc="Take the level-1 files along")

    #: Parameters that affect the URLs.
    choices: ClassVar = [
        "frame_time", "scale", "common_scale", "field", "size", "other", "view", "assumption", "inputs",
    ]  # fmt: skip

    request_id = param.Integer(0, doc="Request that the worker has; 0: none")
    progress = param.ClassSelector(class_=Progress, default=None, allow_None=True, doc="What the worker says")
    rendering = param.ClassSelector(class_=Rendering, default=None, allow_None=True, doc="What it made")
    problem = param.String("", doc="Why something cannot be done")

    def __init__(self, source: ArchiveSource, **params: Any) -> None:
        super().__init__(**params)
        self._source = source
        self.param.watch(self._keep_field, "field")

    def _keep_field(self, event: param.parameterized.Event) -> None:
        """Clip the field of view to its minimum: the script and the worker would refuse smaller ones."""
        if 0 < event.new < FIELDS[0]:
            self.field = FIELDS[0]

    # URLs, relative to the page

    def animation_script(self, images: Sequence[Image]) -> str:
        """URL of the script that makes the animation."""
        looks = self.animation_looks
        field = "" if looks.field is None else f"{looks.field:g}"
        choices = f"frame_time={looks.frame_time:g}&scale={looks.scale}&common_scale={int(looks.common_scale)}"
        return f"{_selection('animation.py', images)}&{choices}&field={field}&size={looks.size}"

    def overlay_script(self, images: Sequence[Image]) -> str:
        """URL of the script that draws the overlay."""
        instrument, wavelength = OTHER_MAPS[self.other]
        choices = f"instrument={instrument}&wavelength={wavelength}&view={self.view}&assumption={self.assumption}"
        return f"{_selection('overlay.py', images)}&{choices}"

    def bundle(self, images: Sequence[Image]) -> str:
        """URL of the zip file."""
        return _selection("bundle.zip", images) + ("&inputs=yes" if self.inputs else "")

    def table(self, images: Sequence[Image], form: str) -> str:
        """URL of the table, "csv" or "parquet"."""
        return _selection(f"table.{form}", images)

    def rendered(self, name: str) -> str:
        """URL of a file made by the worker."""
        return f"archive/rendering/{self.request_id}/{quote(name)}"

    # Requests

    @property
    def animation_looks(self) -> AnimationLooks:
        """The selected options."""
        return AnimationLooks(
            float(self.frame_time), self.scale, bool(self.common_scale), float(self.field) or None, int(self.size)
        )

    def animate(self, images: Sequence[Image], visitor: Visitor, now: np.datetime64) -> bool:
        """Submit a request for the animation; return whether it was submitted."""
        return self._submit(lambda _: AnimationRequest(_ids(images), self.animation_looks), visitor, now)

    def overlay(self, images: Sequence[Image], visitor: Visitor, now: np.datetime64) -> bool:
        """Submit a request for an overlay on the selected map of the archive."""
        looks = OverlayLooks(self.map_name, view=self.view, assumption=self.assumption)
        return self._submit(lambda _: OverlayRequest(_ids(images), looks), visitor, now)

    def cube(self, images: Sequence[Image], visitor: Visitor, now: np.datetime64) -> bool:
        """Submit a request for an image cube, from the observation of the first selected image."""
        return self._submit(lambda archive: self.cube_request(archive, images), visitor, now)

    def cube_request(self, archive: Archive, images: Sequence[Image]) -> CubeRequest:
        """The request for a cube with the current options.

        Raises
        ------
        StixError
            If the options are invalid.
        """
        from jobs.queue.time_steps import StepRule, steps_of_file
        from stixcore.imaging.methods import default_parameters
        from stixcore.imaging.reconstruction import Method
        from stixcore.times import parse_time

        if not images:
            message = "select an image of the observation first"
            raise BadRequest(message)
        name = archive.run(images[0].recipe_id).science_name
        file = archive.science_file(name)
        start = parse_time(self.cube_start) if self.cube_start.strip() else file.t_start
        end = parse_time(self.cube_end) if self.cube_end.strip() else file.t_end
        bands = parse_bands(self.cube_bands)
        rule = StepRule(self.cube_rule)
        steps = steps_of_file(archive.locate(name), start, end, rule, float(self.cube_amount or 0), bands[0])
        methods = {Method(method): default_parameters(Method(method)) for method in self.cube_methods}
        first = images[0]
        location = None
        if first.method != "full_disk_bp":  # all images of a cube have the same centre
            location = (float(first.center_hpc_x), float(first.center_hpc_y))
        imaging = ImagingRequest(name, steps, bands, methods=methods, location=location)
        return CubeRequest(imaging, self.animation_looks)

    def cube_plan(self, images: Sequence[Image]) -> str:
        """What a cube with the current options consists of, or why it cannot be made; one sentence."""
        from jobs.queue.time_steps import StepRule

        try:
            asked = self._source.ask(lambda archive: self.cube_request(archive, images)).imaging
        except StixError as error:
            return f"{str(error)[:1].upper()}{str(error)[1:]}."
        steps = asked.time_ranges
        lengths = sorted({float((end - start) / np.timedelta64(1, "s")) for start, end in steps})
        each = " to ".join(f"{length:.4g}" for length in dict.fromkeys((lengths[0], lengths[-1])))
        wished = float(self.cube_amount or 0)
        longer = StepRule(self.cube_rule) == StepRule.FIXED and lengths[-1] > 1.05 * wished
        why = f" instead of {wished:g} s, because steps are whole bins of the file" if longer else ""
        unbounded = not (self.cube_start.strip() or self.cube_end.strip())
        whole = "the whole file, " if unbounded else ""
        return (
            f"{formatting.plural(len(steps), 'time step')} of {each} s{why}: {whole}from {formatting.day(steps[0][0])} "
            f"{formatting.clock(steps[0][0])} to {formatting.clock(steps[-1][1])} UTC, in "
            f"{formatting.plural(len(asked.energy_ranges), 'energy range')}: "
            f"{formatting.plural(len(steps) * len(asked.energy_ranges), 'image set')}. "
            "Sets that cannot be made, for instance of steps with too few counts, are named with the result."
        )

    def maps(self, visitor: Visitor) -> list[str]:
        """Maps of other instruments in the archive that this visitor may use."""
        try:
            return self._source.ask(lambda archive: maps_of(archive, visitor.name, operator=visitor.operator))
        except StixError:
            return []

    def upload(self, name: str, content: bytes, visitor: Visitor) -> None:
        """Store a map uploaded by the visitor, and select it."""
        try:
            kept = self._source.ask(lambda archive: keep_map(archive, name, content, visitor.name))
        except StixError as error:
            self.problem = str(error)
        else:
            self.param.update(problem="", map_name=kept)

    def poll(self, visitor: Visitor) -> None:
        """Update the progress of a request of this visitor; operators may follow all requests."""
        if not self.request_id:
            return
        try:
            self._source.ask(lambda archive: self._look(archive, visitor))
        except StixError as error:
            self.param.update(progress=None, rendering=None, problem=str(error))

    @property
    def is_working(self) -> bool:
        """Whether a request is waiting or running."""
        return self.progress is not None and RequestState(self.progress.state).is_open

    def _submit(self, build: Any, visitor: Visitor, now: np.datetime64) -> bool:
        if visitor.name is None:
            self.problem = "Sign in to render this here."
            return False
        name = visitor.name

        def ask(archive: Archive) -> Request:
            request: RenderingRequest = build(archive)
            journal = journal_of(archive)
            return submit_rendering(archive, journal, request, name, now, operator=visitor.operator)[0]

        try:
            request = self._source.ask(ask)
        except StixError as error:
            self.problem = str(error)
            return False
        self.param.update(problem="", rendering=None, progress=None, request_id=request.request_id)
        self.poll(visitor)
        return True

    def _look(self, archive: Archive, visitor: Visitor) -> None:
        journal = journal_of(archive)
        request = journal.get(self.request_id)
        if not visitor.may_change_request(request):  # the number comes from the browser
            message = f"you have no request {self.request_id}"
            raise NotAllowed(message)
        rendering = find_rendering(archive, journal, request) if request.state == RequestState.DONE else None
        ended = request.state in (RequestState.FAILED, RequestState.DONE)  # a cube is done without some of its sets
        missing = request.reason if ended else ""
        self.param.update(progress=_progress(journal, request), rendering=rendering, problem=missing)


def parse_bands(text: str) -> tuple[tuple[float, float], ...]:
    """Energy ranges from text such as "4-10, 16-28".

    Raises
    ------
    BadRequest
    """
    bands = []
    for part in text.split(","):
        found = _BAND.fullmatch(part)
        if found is None:
            message = f"{part.strip()!r} is not an energy range (example: 4-10, 16-28)"
            raise BadRequest(message)
        bands.append((float(found[1]), float(found[2])))
    return tuple(bands)


def _progress(journal: Journal, request: Request) -> Progress:
    if request.state == RequestState.QUEUED:
        before = journal.position(request.request_id) or 0
        for_what = {0: "a worker", 1: "another request"}.get(before, f"{before} other requests")
        return Progress(str(request.state), f"waiting for {for_what}", 0.0)
    share = request.step_number / request.step_count if request.step_count else 0.0
    return Progress(str(request.state), request.step or str(request.state), min(share, 1.0))


def _selection(what: str, images: Sequence[Image]) -> str:
    return f"archive/selection/{what}?images={','.join(_ids(images))}"


def _ids(images: Sequence[Image]) -> tuple[str, ...]:
    return tuple(image.image_id for image in images)
