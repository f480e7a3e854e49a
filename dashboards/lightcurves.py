"""Address ``/lightcurves``: quick-look light curves, with the images of what they show."""

from dashboards.pages.lightcurves.view import LightCurvesPage

LightCurvesPage.from_session().servable()
