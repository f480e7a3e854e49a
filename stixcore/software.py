"""Name and version of this software, for FITS headers and pages."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

CREATOR = "stix-flare-archive"


@cache  # it is in every header, and is read from a file
def software_version() -> str:
    """Version of the installed distribution; "unknown" when it is not installed."""
    try:
        return version(CREATOR)
    except PackageNotFoundError:
        return "unknown"
