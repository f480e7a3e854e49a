"""Address ``/operations``: what the archive is doing, and how it fares."""

from dashboards.pages.operations.view import OperationsPage

OperationsPage.from_session().servable()
