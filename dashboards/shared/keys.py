"""Keys that sign cookies and sessions. Bokeh reads them when it is imported, so this module must not import it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from secrets import token_urlsafe

from archive.accounts import WebSecrets, web_secrets
from archive.errors import ArchiveError

#: Sign-in with a password, by the entry point of this name in ``pyproject.toml``; Panel has others (OAuth, OpenID).
OWN_PROVIDER = "stix"

log = logging.getLogger(__name__)


def set_keys(folder: Path) -> None:
    """Pass the archive's keys to Panel and Bokeh in the environment: on a command line all local users could read them.

    Existing keys in the environment are kept. If there is no archive, or it is not writable, keys are made for this
    process only: its sessions end with it.
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
