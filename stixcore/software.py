"""Name and version of this software, as written to FITS headers and shown to people."""

from importlib.metadata import PackageNotFoundError, version

CREATOR = "stix-flare-archive"


def software_version() -> str:
    """Version of the installed distribution, "unknown" when the source runs uninstalled."""
    try:
        return version(CREATOR)
    except PackageNotFoundError:
        return "unknown"
