"""Rows and light curves show themselves in notebooks."""

import matplotlib as mpl
import numpy as np
from bs4 import BeautifulSoup
from matplotlib import pyplot as plt

from archive import Flare
from archive.index.series import BANDS
from archive.lightcurves.read import LightCurveView


def test_a_flare_shows_what_is_known_with_units():
    peak = np.datetime64("2022-11-11T11:36:00", "us")
    flare = Flare(flare_id="<b>", t_peak=peak, hpc_x=12.5, simulated=False, source="detected", updated_at=peak)
    page = BeautifulSoup(flare._repr_html_(), "html.parser")
    rows = {row.th.get_text(): row.td.get_text() for row in page.find_all("tr")}
    assert rows["flare_id"] == "<b>"
    assert rows["hpc_x"] == "12.5 arcsec"
    assert rows["t_peak"].startswith("2022-11-11T11:36:00")
    assert "goes_class" not in rows


def test_light_curves_draw_every_band(monkeypatch):
    mpl.use("agg")
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gcf()))
    time = np.datetime64("2022-11-11", "us") + np.arange(4) * np.timedelta64(4, "s")
    rates = np.arange(20.0).reshape(4, 5) + 1
    line = np.ones(4)
    view = LightCurveView(time, 0.0, line, rates, rates, rates, line, line, line, np.zeros(4, dtype=np.int64))
    view.peek()
    (axes,) = shown[0].axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [f"{b.replace('_', '-')} keV" for b in BANDS]
    assert [list(one.get_ydata()) for one in axes.lines] == rates.T.tolist()
    plt.close("all")
