"""Customized ``panel serve``: only the routes of `dashboards.server.allowed_routes`, and security headers."""

from __future__ import annotations

import argparse
import logging
import os
from typing import Any

from bokeh.settings import settings
from panel.command.serve import Serve

from dashboards.panel_patches import session_memory
from dashboards.panel_patches.address_values import leave_values_alone
from dashboards.panel_patches.message_errors import shorten_message_errors
from dashboards.panel_patches.packed_data import limit_unpacked_data
from dashboards.panel_patches.resource_bundle import remember_resources
from dashboards.panel_patches.stable_defaults import remember_defaults
from dashboards.panel_patches.static_files import set_conditions
from dashboards.panel_patches.versions import untested_versions
from dashboards.server import allowed_routes, connections, fair_use, first_content, live_pages
from dashboards.server.conditional import choose_version
from dashboards.server.security_headers import SecurityHeaders
from dashboards.shared.limits import WebLimits

log = logging.getLogger(__name__)


class ArchiveServe(Serve):
    """The command ``serve`` of Panel, for the pages of the archive."""

    def customize_server(self, server: Any) -> Any:
        """Remove unlisted routes; add headers to every response."""
        served: Any = super().customize_server(server)
        application = served._tornado  # noqa: SLF001 - Bokeh's server names its application in no other way
        allowed_routes.remove_unlisted(application)
        application.add_transform(SecurityHeaders)
        return served


def serve(arguments: list[str]) -> None:
    """Serve the pages until SIGTERM or Ctrl-C.

    Parameters
    ----------
    arguments : list of str
        Arguments of ``panel serve``.
    """
    if untested := untested_versions():
        log.warning(
            "untested versions of packages whose private parts are replaced (dashboards/panel_patches): %s",
            ", ".join(untested),
        )
    limits = WebLimits()
    connections.install(limits, behind_proxy="--use-xheaders" in arguments)
    set_conditions(choose_version)
    fair_use.install()
    live_pages.install(first_content.FirstContentHandler)
    leave_values_alone()
    limit_unpacked_data(limits.message)
    shorten_message_errors(limits.burst)
    session_memory.install()
    remember_defaults()
    remember_resources()
    settings.perform_error_diagnostics = False  # otherwise Bokeh inspects the signature of every callback of every page
    if "BOKEH_VALIDATE_DOC" not in os.environ:
        settings.perform_document_validation = False  # a look at every model of every page, for developers
    parser = argparse.ArgumentParser(prog="python -m dashboards")
    command: Any = ArchiveServe(parser=parser)
    command.invoke(parser.parse_args(arguments))
