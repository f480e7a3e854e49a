"""Scripts and OGIP files of a spectrum: ``/archive/spectrum/<spectrum_id>/fit.py|reproduce.py|fit.pro|ogip.zip``."""

from __future__ import annotations

import logging
from typing import Any

from tornado.web import RequestHandler

from archive import Archive, NotInArchive, Spectrum, read_spectrum_record
from archive.layout import RESPONSE_FILE
from archive.scripts.ogip import OGIP_ZIP, ogip_zip
from archive.scripts.spectra import SPECTRUM_SCRIPTS, spectrum_script_name
from archive.scripts.spectrum_sources import read_spectrum_source
from dashboards.server.conditional import send_content
from dashboards.server.downloads import announce
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import look_up_file, refuse_json
from dashboards.server.responses import write_json_error
from dashboards.server.scripts import server_address
from dashboards.shared.access import Visitor, visible_spectrum
from dashboards.shared.source import archive_source
from dashboards.shared.visitors import visitor_asking
from stixcore.errors import InvalidProduct

log = logging.getLogger(__name__)

MEDIA_TYPES = {
    "py": "text/x-python; charset=utf-8",
    "pro": "text/plain; charset=utf-8",
    "zip": "application/zip",
}
#: Names of the files as alternatives for Tornado's routes.
TAKE_HOME_NAMES = "|".join(name.replace(".", r"\.") for name in (*SPECTRUM_SCRIPTS, OGIP_ZIP))


def spectrum_file(archive: Archive, spectrum_id: str, name: str, server: str, visitor: Visitor) -> tuple[str, bytes]:
    """Make a script or the zip file of a spectrum.

    Parameters
    ----------
    archive : Archive
    spectrum_id, name : str
        Name of the file as in its URL.
    server : str
        URL under which the visitor reached this server; scripts download files from there.
    visitor : Visitor

    Returns
    -------
    str, bytes
        Name under which a browser saves it, and its content.

    Raises
    ------
    NotInArchive
        If this visitor may see no such spectrum, the script needs a fit and there is none, or its files are damaged.
    """
    row = visible_spectrum(archive, spectrum_id, visitor)
    try:
        if name == OGIP_ZIP:
            return f"stix_spectrum_{spectrum_id}_ogip.zip", _pack(archive, row)
        source = read_spectrum_source(archive, row, server)
        return spectrum_script_name(source, name), SPECTRUM_SCRIPTS[name](source).encode()
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        # the traceback goes to the log: it may be a fault of this software
        log.warning("%s of spectrum %s", name, spectrum_id, exc_info=True)
        message = f"the record of spectrum {spectrum_id!r} is damaged: {name} cannot be made of it ({error!r})"
        raise NotInArchive(message) from error


def _pack(archive: Archive, row: Spectrum) -> bytes:
    folder = archive.path_of(row.folder)
    record = read_spectrum_record(folder)
    if record is None:
        message = f"spectrum {row.spectrum_id!r} has no valid record in {row.folder}"
        raise NotInArchive(message)
    try:
        return ogip_zip(record, folder / RESPONSE_FILE)
    except InvalidProduct as error:
        message = f"the response of spectrum {row.spectrum_id!r} is missing or damaged"
        raise NotInArchive(message) from error


class SpectrumFileHandler(RequestHandler):
    """Makes a file in a thread, and sends it."""

    async def get(self, spectrum_id: str, name: str) -> None:
        """Make and send the file."""
        server, visitor = server_address(self), await visitor_asking(self)

        def make(archive: Archive) -> tuple[str, bytes]:
            return spectrum_file(archive, spectrum_id, name, server, visitor)

        try:
            saved_as, content = await look_up_file(self, lambda: archive_source().ask(make))
        except Busy as busy:
            refuse_json(self, busy)
            return
        announce(self, saved_as, MEDIA_TYPES[name.rpartition(".")[2]])
        send_content(self, content)

    async def head(self, spectrum_id: str, name: str) -> None:
        """Send the headers."""
        await self.get(spectrum_id, name)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send one JSON object with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        write_json_error(self, status_code, str(error.__cause__) if error is not None and error.__cause__ else "")
