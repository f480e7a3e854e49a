"""Curves of a spectrum for figures, from the document of `jobs.spectra.products.describe_spectrum`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.layout import SPECTRUM_RECORD
from stixcore.errors import InvalidProduct

Floats = NDArray[np.float64]
Document = Mapping[str, Any]

#: A channel without counts above background shows max(counts, 0) plus this many σ, as an upper limit.
LIMIT_SIGMAS = 2.0
#: Drawn lower edge of a channel that begins at 0 keV: the axis is logarithmic.
LOWEST = 3.0
#: Names of components.
COMPONENTS = {"vth": "thermal", "thick2": "thick target", "thin2": "thin target"}


@dataclass(frozen=True, eq=False)
class SpectrumCurves:
    """A spectrum with its fit, by channel.

    Attributes
    ----------
    low, high : (n,) float, keV
        Edges of the channels.
    rate, error : (n,) float, ct s⁻¹ keV⁻¹
        Without background; one σ with the systematic error.
    background : (n,) float or None, ct s⁻¹ keV⁻¹
        None if none was subtracted.
    components : mapping of str to (n,) float, ct s⁻¹ keV⁻¹
        Parts of the model by name; empty without a fit.
    model : (n,) float or None, ct s⁻¹ keV⁻¹
    residuals : (n,) float or None
        (data − model) ÷ σ of the model; NaN where there is none.
    used : (n,) bool
        Channels of the fit.
    fitted : (float, float) or None, keV
        Range of the fit.
    """

    low: Floats
    high: Floats
    rate: Floats
    error: Floats
    background: Floats | None
    components: Mapping[str, Floats] = field(default_factory=dict)
    model: Floats | None = None
    residuals: Floats | None = None
    used: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    fitted: tuple[float, float] | None = None

    @classmethod
    def of(cls, document: Document) -> SpectrumCurves:
        """Curves of a document.

        Raises
        ------
        InvalidProduct
            If a value is missing, or has an unexpected length or type.
        """
        try:
            return _curves(document)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise InvalidProduct(SPECTRUM_RECORD, "the description of a spectrum", repr(error)) from error

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Channels with counts above background, (n,) bool; the others have an upper limit."""
        return np.isfinite(self.rate) & (self.rate > 0.0)

    @property
    def limit(self) -> Floats:
        """Upper limits, (n,) float, ct s⁻¹ keV⁻¹."""
        return np.maximum(self.rate, 0.0) + LIMIT_SIGMAS * self.error

    @property
    def center(self) -> Floats:
        """Geometric mean of the edges, (n,) float, keV."""
        return np.sqrt(self.low * self.high)

    @property
    def rates(self) -> tuple[float, float]:
        """Range of the axis of rates: all data and the model, with a margin; components may be below it."""
        drawn = [np.where(self.positive, self.rate, self.limit)]
        drawn += [one for one in (self.model, self.background) if one is not None]
        values = np.concatenate(drawn)
        values = values[np.isfinite(values) & (values > 0.0)]
        if not values.size:
            return 0.1, 10.0
        high = float(values.max())
        # not more than seven decades, so that one tiny value does not flatten the others
        return max(0.4 * float(values.min()), 1e-7 * high), 2.5 * high

    def steps(self, values: Floats) -> tuple[Floats, Floats]:
        """Steps of a curve over the channels: energies and values; NaN in gaps and for values that are not positive."""
        x, y = [np.empty(0)], [np.empty(0)]
        for channel, (low, high, value) in enumerate(zip(self.low, self.high, values, strict=True)):
            if channel and low > self.high[channel - 1] * (1.0 + 1e-9):
                x.append(np.array([low]))
                y.append(np.array([np.nan]))
            x.append(np.array([low, high]))
            y.append(np.full(2, value if value > 0.0 else np.nan))
        return np.concatenate(x), np.concatenate(y)


def component_name(label: str) -> str:
    """``thermal (vth)``; a second component of a kind has its number."""
    kind, _, number = label.partition("_")
    known = COMPONENTS.get(kind)
    return f"{known}{f' {number}' if number else ''} ({label})" if known else label


def _curves(document: Document) -> SpectrumCurves:
    edges = np.asarray(document["energy_kev"], dtype=float)
    if edges.ndim != 2 or edges.shape[1] != 2:
        message = f"energy_kev has the shape {edges.shape}"
        raise ValueError(message)
    low, high = np.maximum(edges[:, 0], LOWEST), edges[:, 1]
    per_rate = 1.0 / (float(document["livetime_s"]) * (edges[:, 1] - edges[:, 0]))
    counts, background = (_values(document, key, len(low)) for key in ("counts", "background"))
    sigma, systematic = (_values(document, key, len(low)) for key in ("sigma", "systematic"))
    # σ² = σ_stat² + (s·C)²
    error = np.hypot(sigma, systematic * counts)
    curves: dict[str, Any] = {
        "low": low,
        "high": high,
        "rate": counts * per_rate,
        "error": error * per_rate,
        "background": background * per_rate if np.any(background) else None,
        "used": np.zeros(len(low), bool),
    }
    if fit := document["fit"]:
        start, end = fit["energy_range_kev"]
        curves |= {
            "components": {
                str(name): _values(fit["components"], name, len(low)) * per_rate for name in fit["components"]
            },
            "model": _values(fit, "counts", len(low)) * per_rate,
            "residuals": _values(fit, "residuals", len(low)),
            "used": _values(fit, "used", len(low)).astype(bool),
            "fitted": (float(start), float(end)),
        }
    return SpectrumCurves(**curves)


def _values(document: Document, key: str, n: int) -> Floats:
    """Numbers of a list; NaN where it has null."""
    values = np.array([np.nan if value is None else value for value in document[key]], dtype=float)
    if values.shape != (n,):
        message = f"{key} has the shape {values.shape} for {n} channels"
        raise ValueError(message)
    return values
