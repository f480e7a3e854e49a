"""The measured spectra of regions: their description, the command that repeats it, and their files as one ZIP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from dashboards.pages.science_data.file_state import TimeEnergySelection
from dashboards.pages.science_data.limited_threads import LimitedThreads
from dashboards.pages.science_data.region_form import RegionForm
from dashboards.shared.limits import WebLimits
from jobs.regions.cost import check_time
from jobs.regions.in_child import LIMITS, OwnRegionTask, measure_in_child
from stixcore.errors import SelectionError

#: Measurements of all sessions.
THREADS = LimitedThreads(
    "regions",
    running=WebLimits().regions,
    waiting=WebLimits().regions_waiting,
    refusal="the server is busy with other measurements; try again in a minute",
)
COMMAND_NAME = "command.txt"


@dataclass(frozen=True, eq=False)
class RegionResult:
    """Spectra of regions, in memory.

    Attributes
    ----------
    asked : tuple
        From `asked_of`, for comparison with the form.
    document : dict
        From `jobs.regions.products.describe_regions`.
    command : str
        For a shell in the folder of the files.
    content : bytes
        ZIP with all files.
    file_name : str
        Of the ZIP.
    """

    asked: tuple[Any, ...]
    document: dict[str, Any]
    command: str
    content: bytes
    file_name: str

    def archive(self) -> BytesIO:
        """The ZIP."""
        return BytesIO(self.content)


def asked_of(form: RegionForm, box: TimeEnergySelection) -> tuple[Any, ...]:
    """Everything that the result depends on."""
    options = tuple(
        tuple(value) if isinstance(value := getattr(form, name), list) else value
        for name in (*form.image_options, *form.measured)
    )
    return (box, *options)


def measure_box(
    form: RegionForm,
    box: TimeEnergySelection,
    created: np.datetime64,
    on_progress: Callable[[str, int, int], None],
    is_wanted: Callable[[], bool] = lambda: True,
) -> RegionResult:
    """Measure the regions of the form in a child process; nothing stays on disk.

    Raises
    ------
    StixError, OSError
        If a field is invalid, or the regions cannot be measured.
    """
    asked = asked_of(form, box)
    if not form.entries:
        message = "draw a region, or add one"
        raise SelectionError(message)
    check_time(form.method, (form.side, form.side), form.ensemble, LIMITS.seconds)
    background, _ = form.background_path(box)
    aspect = form.aspect_paths(box)
    choice = form.choice(box)
    with TemporaryDirectory(prefix="stix-regions-") as folder:
        task = OwnRegionTask(
            choice=choice,
            science=form.view.path,
            background=background,
            aspect=tuple(aspect),
            folder=Path(folder),
            created=created,
            calibration=form.calibration,
            table=form.table,
        )
        document, command = measure_in_child(task, on_progress, is_wanted)
        content = _zipped(Path(folder), command)
    return RegionResult(asked, document, command, content, f"stx_regions_{document['region_id']}.zip")


def _zipped(folder: Path, command: str) -> bytes:
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
        archive.writestr(COMMAND_NAME, f"{command}\n")
    return content.getvalue()
