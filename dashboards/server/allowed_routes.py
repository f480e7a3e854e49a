"""Every route of the server, with the reason for it. Other routes are not served.

Panel and Bokeh add routes by default: a page's token for other sites (``autoload.js``), a module that is imported
because the URL names it (``components``), a page that is made on request (``liveness?endpoint=``). `remove_unlisted`
removes all routes that are not listed, so that a new version of them cannot add one unnoticed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from tornado.routing import PathMatches, RuleRouter
from tornado.web import Application

from dashboards.server.api.handlers import API_ROUTES
from dashboards.shared.navigation import LINKED_PAGES, PAGES

log = logging.getLogger(__name__)

_PAGES = {
    "": "the first page",
    **{f"/{page}": f"the page “{title}”" for page, title in {**PAGES, **LINKED_PAGES}.items()},
}

#: Pattern of each route, and why it is served.
SERVED: Mapping[str, str] = {
    **{f"{address}/?$": f"{what}" for address, what in _PAGES.items()},
    **{f"{address}/ws$": f"web socket of {what}" for address, what in _PAGES.items()},
    r"/static/(?!extensions/)(.*)$": "scripts and style sheets of Bokeh",
    r"/static/extensions/(.*)$": "scripts, style sheets and fonts of Panel and panel.ui",
    r"/favicon.ico$": "requested by browsers",
    r"/liveness$": "health check",
    r"/login$": "sign-in form, or redirect to a provider",
    r"/logout$": "ends a session in every open tab",
    r"/account$": "a user's tokens, password, sessions and requests",
    r"/archive/((?:fits|png|thumbnail)/[0-9a-f]{16}-[a-z][a-z0-9_]*)$": "an image: FITS file, picture, thumbnail",
    r"/archive/((?:science|quicklook|aux|other)/[^/]+\.fits)$": "a STIX file of the archive",
    r"/archive/(calibration/[^/]+\.(?:fits|csv))$": "an energy table or a CAL file that the archive added",
    r"/archive/script/([0-9a-f]{16}-[a-z][a-z0-9_]*?)(-stixpy\.py|\.py|\.pro|\.ipynb)$": "a script for an image",
    r"/archive/context/(\d{10})/(context_[a-z0-9_T]{1,40}\.fits)/(solo|earth)\.png$": "a context map of a flare",
    r"/archive/(cube/cube-[0-9-]{1,40}/[a-z0-9_.-]{1,80})$": "movie, tracks and fits of a flare",
    r"/archive/(spectrum/[0-9a-f]{16}/(?:stx_spectrum\.fits|stx_srm\.fits|spectrum\.json))$": "files of a spectrum",
    r"/archive/(regions/[0-9a-f]{16}/[A-Za-z0-9_-]{1,80}\.[a-z]{3,8})$": "files of spectra of regions",
    r"/archive/(report/[0-9a-f]{16}\.png)$": "the report of an image set",
    r"/archive/report/([0-9a-f]{16})\.pdf$": "the report of an image set as PDF",
    r"/archive/spectrum/([0-9a-f]{16})/(fit\.py|reproduce\.py|fit\.pro|ogip\.zip)$": "a spectrum: scripts, OGIP files",
    r"/archive/flare/(\d{10})\.zip$": "everything of a flare",
    r"/archive/locator/([0-9a-f]{16})\.(fits|json)$": "map and regions of the coarse flare locator",
    r"/archive/pointing/([0-9a-f]{16})\.(json)$": "all pointings of an image set",
    r"/archive/lightcurve\.(csv|parquet)$": "light curves of a time range",
    r"/archive/(rendering/\d{1,15}/[A-Za-z0-9_.-]+)$": "a file that a user's request rendered",
    r"/archive/selection/(bundle\.zip|table\.csv|table\.parquet|animation\.py|overlay\.py)$": "several images together",
    r"/(feed\.xml|feed/failures\.xml)$": "Atom feeds of flares and of failures",
    r"/image/([0-9a-f]{16})$": "the lasting page of an image set",
    r"/image/([0-9a-f]{16})\.(jsonld|datacite\.json|bib|recipe\.json)$": "its metadata",
    r"/send$": "sends images to programs over SAMP",
    r"/view/(.*)$": "addresses of the data center: redirects to our pages",
    r"/archive/.*$": "404 as JSON",
    **{f"{pattern}$": "the JSON API" for pattern, *_ in API_ROUTES},
    r"/tap/?$": "what the service for programs of the Virtual Observatory is, for people",
    r"/tap/(capabilities|tables|examples)$": "what that service says about itself",
    r"/tap/availability$": "whether that service can answer queries",
    r"/tap/sync$": "queries of tables",
    r"/tap/tables/([A-Za-z_.]{1,60})$": "columns of one table",
    r"/tap/.*$": "404 as VOTable",
    r"/hapi/?$": "what the service for programs of heliophysics is, for people",
    r"/hapi/about$": "who that service is of",
    r"/hapi/capabilities$": "formats of its data",
    r"/hapi/catalog$": "its datasets",
    r"/hapi/info$": "parameters and times of a dataset",
    r"/hapi/data$": "records of a dataset",
    r"/hapi/.*$": "404 as JSON of HAPI",
}
#: Default routes of Panel and Bokeh that are removed, and why.
REMOVED: Mapping[str, str] = {
    **{f"{address}/autoload.js$": "reveals the token of a page to other sites" for address in _PAGES},
    **{f"{address}/metadata$": "not used" for address in _PAGES},
    **{f"{address}/static/(.*)$": "the same files as /static" for address in _PAGES},
    r"/components/(.*)$": "imports any module named in the URL",
}


def remove_unlisted(application: Application) -> None:
    """Remove every route that is not in `SERVED`; log those that are not in `REMOVED` either."""
    for router in (application.default_router, application.wildcard_router):
        for owner, rule, pattern in list(_paths(router)):
            if pattern not in SERVED:
                owner.rules.remove(rule)
                if pattern not in REMOVED:
                    log.warning(
                        "a route that is not listed in dashboards.server.allowed_routes is not served: %s", pattern
                    )


def patterns(application: Application) -> set[str]:
    """Patterns of all routes that an application serves."""
    return {pattern for router in (application.default_router, application.wildcard_router)
            for _, _, pattern in _paths(router)}  # fmt: skip


def _paths(router: RuleRouter) -> Iterator[tuple[RuleRouter, Any, str]]:
    """Every rule for a path below a router: the router it is in, the rule, and its pattern."""
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            yield from _paths(rule.target)
        elif isinstance(rule.matcher, PathMatches):
            yield router, rule, rule.matcher.regex.pattern
