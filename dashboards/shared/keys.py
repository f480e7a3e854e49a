"""Keys that sign cookies and sessions. Bokeh reads them once, when it is imported, so nothing here may import it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from secrets import token_urlsafe

from archive.accounts import WebSecrets, web_secrets
from archive.errors import ArchiveError

#: Our own way to sign in, by the entry point of this name in ``pyproject.toml``; Panel has others (OAuth, OpenID).
OWN_PROVIDER = "stix"

log = logging.getLogger(__name__)


def set_keys(folder: Path) -> None:
    """Tell Panel and Bokeh the archive's keys, by environment: on a command line everybody could read them.

    Keys that the environment has already stay. Where no archive is yet, or it cannot be written, keys are made for
    this process alone: its sessions end with it.
    """
    keys = WebSecrets(token_urlsafe(48), token_urlsafe(48))
    try:
        if folder.is_dir():
            keys = web_secrets(folder)
    except (ArchiveError, OSError) as error:
        log.warning("sessions will end with this process: %s", error)
    os.environ.setdefault("PANEL_COOKIE_SECRET", keys.cookie)
    os.environ.setdefault("BOKEH_SECRET_KEY", keys.session)
    os.environ["BOKEH_SIGN_SESSIONS"] = "yes"
