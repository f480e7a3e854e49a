"""Name and version of this software, for FITS headers and pages."""

from importlib.metadata import PackageNotFoundError, version

CREATOR = "stix-flare-archive"


def software_version() -> str:
    """Version of the installed distribution; "unknown" when it is not installed."""
    try:
        return version(CREATOR)
    except PackageNotFoundError:
        return "unknown"
