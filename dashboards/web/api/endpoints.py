"""Every address of the API, below `ROOT`."""

from __future__ import annotations

from dashboards.web.api.browsing import BROWSING
from dashboards.web.api.requesting import REQUESTING

VERSION = 1
ROOT = f"/api/v{VERSION}"
ENDPOINTS = (*BROWSING, *REQUESTING)
