"""What files exist, what is in them, where they are: the archive of STIX files and images, and its index.

Made of Parquet files (the truth) that DuckDB reads; see ``DESIGN.md``. It starts no work and opens no network.
"""

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
from archive.index.recorded import REGION_RECORDS
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
from archive.ingest.ingest import Outcome, OutcomeStatus, ingest
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

read_region_record = REGION_RECORDS.read_own

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
    "ingest",
    "parse_file_name",
    "parse_image_name",
    "read_region_record",
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
