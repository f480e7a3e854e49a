"""Address ``/flares``: every flare of the archive."""

from dashboards.pages.flares.view import FlaresPage

FlaresPage.from_session().servable()
