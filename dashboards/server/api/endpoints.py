"""Every endpoint of the API, below `ROOT`."""

from __future__ import annotations

from dashboards.server.api.browsing import BROWSING
from dashboards.server.api.region_spectra import REGION_ENDPOINTS
from dashboards.server.api.requesting import REQUESTING
from dashboards.server.api.spectra import SPECTRUM_ENDPOINTS

VERSION = 1
ROOT = f"/api/v{VERSION}"
ENDPOINTS = (*BROWSING, *SPECTRUM_ENDPOINTS, *REGION_ENDPOINTS, *REQUESTING)
