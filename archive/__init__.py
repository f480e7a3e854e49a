"""What files exist, what is in them, where they are: the archive of STIX files and images, and its index.

Made of Parquet files (the truth) that DuckDB reads; see ``DESIGN.md``. It starts no work and opens no network.

What is exported here is imported when it is first used (PEP 562), so that the clients of the HTTP API, `archive.client`
and `archive.fido`, do not need the packages of the archive.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archive.atomic import atomic_path, copy_file, write_bytes, write_text
    from archive.errors import (
        ArchiveBusy,
        ArchiveError,
        BadRow,
        IndexDamaged,
        IndexVersion,
        InvalidName,
        NotAnArchive,
        NotInArchive,
        QueryRefused,
        QueryTimeout,
    )
    from archive.index.filters import FlareFilter, ImageFilter, RunFilter, ScienceFilter
    from archive.index.schema import (
        TABLES,
        AuxFile,
        Flare,
        Image,
        OtherFile,
        QuicklookFile,
        RegionSpectra,
        Run,
        RunKind,
        RunStatus,
        ScienceFile,
        Spectrum,
        schema_markdown,
    )
    from archive.index.spectrum_filter import RegionFilter, SpectrumFilter
    from archive.index.spectrum_records import SpectrumRecord, read_spectrum_record, write_spectrum_record
    from archive.ingest.ingest import Outcome, OutcomeStatus
    from archive.layout import (
        archive_path,
        image_folder,
        image_id,
        image_name,
        parse_file_name,
        parse_image_name,
        regions_folder,
        skipped_run_id,
        spectrum_folder,
        version_rank,
    )
    from archive.lightcurves.read import LightCurveView
    from archive.lightcurves.write import LightCurveUpdate, rebuild_light_curves, stale_days
    from archive.store import Archive

#: Module → what is exported of it.
_EXPORTS = {
    "archive.atomic": ("atomic_path", "copy_file", "write_bytes", "write_text"),
    "archive.errors": (
        "ArchiveBusy",
        "ArchiveError",
        "BadRow",
        "IndexDamaged",
        "IndexVersion",
        "InvalidName",
        "NotAnArchive",
        "NotInArchive",
        "QueryRefused",
        "QueryTimeout",
    ),
    "archive.index.filters": ("FlareFilter", "ImageFilter", "RunFilter", "ScienceFilter"),
    "archive.index.schema": (
        "AuxFile",
        "Flare",
        "Image",
        "OtherFile",
        "QuicklookFile",
        "RegionSpectra",
        "Run",
        "RunKind",
        "RunStatus",
        "ScienceFile",
        "Spectrum",
        "TABLES",
        "schema_markdown",
    ),
    "archive.index.spectrum_filter": ("RegionFilter", "SpectrumFilter"),
    "archive.index.spectrum_records": ("SpectrumRecord", "read_spectrum_record", "write_spectrum_record"),
    "archive.ingest.ingest": ("Outcome", "OutcomeStatus"),
    "archive.layout": (
        "archive_path",
        "image_folder",
        "image_id",
        "image_name",
        "parse_file_name",
        "parse_image_name",
        "regions_folder",
        "skipped_run_id",
        "spectrum_folder",
        "version_rank",
    ),
    "archive.lightcurves.read": ("LightCurveView",),
    "archive.lightcurves.write": ("LightCurveUpdate", "rebuild_light_curves", "stale_days"),
    "archive.store": ("Archive",),
}
_MODULES = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = [
    "TABLES",
    "Archive",
    "ArchiveBusy",
    "ArchiveError",
    "AuxFile",
    "BadRow",
    "Flare",
    "FlareFilter",
    "Image",
    "ImageFilter",
    "IndexDamaged",
    "IndexVersion",
    "InvalidName",
    "LightCurveUpdate",
    "LightCurveView",
    "NotAnArchive",
    "NotInArchive",
    "OtherFile",
    "Outcome",
    "OutcomeStatus",
    "QueryRefused",
    "QueryTimeout",
    "QuicklookFile",
    "RegionFilter",
    "RegionSpectra",
    "Run",
    "RunFilter",
    "RunKind",
    "RunStatus",
    "ScienceFile",
    "ScienceFilter",
    "Spectrum",
    "SpectrumFilter",
    "SpectrumRecord",
    "archive_path",
    "atomic_path",
    "copy_file",
    "image_folder",
    "image_id",
    "image_name",
    "parse_file_name",
    "parse_image_name",
    "read_spectrum_record",
    "rebuild_light_curves",
    "regions_folder",
    "schema_markdown",
    "skipped_run_id",
    "spectrum_folder",
    "stale_days",
    "version_rank",
    "write_bytes",
    "write_spectrum_record",
    "write_text",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
