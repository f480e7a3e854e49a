"""Frames of an animation: what their colours mean."""

import numpy as np

from archive.scripts.parts.animation import draw_frames

START = np.datetime64("2022-11-11T11:36:00", "us")


def image(number, low, method, brightness, unit="ct / (s cm2 keV arcsec2)"):
    """An image of a single source, a minute after the one before."""
    steps = np.arange(33) - 16
    return {
        "data": brightness * np.exp(-(steps[:, None] ** 2 + steps**2) / 32.0),
        "pixel": 2.0, "x0": -32.0, "y0": -32.0, "width": 66.0, "height": 66.0,
        "start": START + np.timedelta64(number, "m"), "end": START + np.timedelta64(number + 1, "m"),
        "low": low, "high": low + 6.0, "method": method, "rsun": 1500.0, "b0": 0.0, "unit": unit,
        "simulated": False,
    }  # fmt: skip


def middles(images, **drawing):
    """Colour in the middle of the map of every frame, its channels added up."""
    curve = np.array([image["start"] for image in images]), np.arange(float(len(images)))
    frames = draw_frames(images, curve, size=256, **drawing)
    return [int(frame[100:103, 123:126].astype(int).sum()) for frame in frames]


def test_every_band_and_method_has_its_color_scale():
    soft, faint, hard = image(0, 4.0, "clean", 1.0), image(1, 4.0, "clean", 0.1), image(2, 16.0, "clean", 0.01)
    other = image(3, 4.0, "mem_ge", 0.001)
    first, second, third, fourth = middles([soft, faint, hard, other])
    assert first == third == fourth
    assert second < first / 2
    assert len(set(middles([soft, faint, hard, other], common_scale=False))) == 1
