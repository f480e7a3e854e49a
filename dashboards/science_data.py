"""Address ``/science_data``: level-1 files, what is in them, and images made of them by hand."""

from dashboards.pages.science_data.view import ScienceDataPage

ScienceDataPage.from_session().servable()
