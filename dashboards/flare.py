"""Address ``/flare?id=…``: everything about one flare on one page that prints well."""

from dashboards.pages.flare.view import FlarePage

FlarePage.from_session().servable()
