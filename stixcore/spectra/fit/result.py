"""The result of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.spectra.fit.energy_range import EnergyRange
from stixcore.spectra.fit.parameters import Value
from stixcore.spectra.fit.statistic import Statistic
from stixcore.spectra.fit.verdict import Doubt

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CorrelatedPair:
    """Two parameters that the data determine only together, on logarithmic axes.

    Attributes
    ----------
    names : (str, str)
    values : (float, float)
        Best values.
    covariance : (2, 2) float
        Of the natural logarithms, all other parameters fitted.
    """

    names: tuple[str, str]
    values: tuple[float, float]
    covariance: Floats

    @property
    def correlation(self) -> float:
        """Coefficient of correlation, −1 to 1."""
        spread = np.sqrt(np.diag(self.covariance))
        return float(self.covariance[0, 1] / (spread[0] * spread[1]))

    def ellipse(self, n: int = 72) -> Floats:
        """The curve of Δ statistic = 1, (n, 2) float in the units of the values; its projections are 1-sigma errors."""
        turn = np.linspace(0.0, 2.0 * np.pi, n)
        values, vectors = np.linalg.eigh(self.covariance)
        circle = np.array([np.cos(turn), np.sin(turn)])
        offsets = vectors @ (np.sqrt(np.maximum(values, 0.0))[:, None] * circle)
        return np.asarray(np.array(self.values) * np.exp(offsets.T))


@dataclass(frozen=True)
class Alternative:
    """A model that the automatic fit compared, over the same channels and with the same errors as the others.

    Attributes
    ----------
    model : str
    value : float
        χ² or Cash's statistic.
    n_parameters : int
        Free ones.
    aic, bic : float
        Information criteria, Akaike's and Schwarz's.
    """

    model: str
    value: float
    n_parameters: int
    aic: float
    bic: float


@dataclass(frozen=True, eq=False)
class SpectrumFit:
    """A fitted model.

    Attributes
    ----------
    model : str
        Components joined by "+".
    parameters : mapping of str to Value
        ``T_keV, EM_1e49_cm3, norm_1e35_per_s, delta, e_cut_keV``; fixed ones are marked.
    chi2, ndof : float, int
        χ² of the fitted channels with the errors of the model, and channels minus free parameters. Not divided.
    statistic, value : Statistic, float
        What was minimised, and its minimum; χ² again for "chi2".
    energy : EnergyRange
        Range, channels, and why.
    counts : (n_channel,) float, ct
        Of the model, in all channels of the spectrum.
    components : mapping of str to (n_channel,) float, ct
        Their parts.
    error : (n_channel,) float, ct
        1 sigma that the model expects, with the systematic part.
    residuals : (n_channel,) float
        (data − model) / error, also where not fitted; NaN where there are no data.
    pair : CorrelatedPair or None
        Norm and low-energy cutoff of the first non-thermal component, if both are free.
    aic, bic : float
        Information criteria of this fit.
    alternatives : tuple of Alternative
        What the automatic fit compared; empty if the model was given.
    iterations : int
        In total.
    stop_reason : str
    converged : bool
    scheme : str
        Of the response.
    tailing : bool
        Whether the response has the loss of charge.
    thermal_table : str
        Where the thermal spectrum comes from; empty without a thermal component.
    albedo_angle : float or None, degree
        Heliocentric angle for which reflection at the Sun was added; None: it was not.
    distance : float, AU
    doubts : tuple of Doubt
        What speaks against the fit.
    """

    model: str
    parameters: Mapping[str, Value]
    chi2: float
    ndof: int
    statistic: Statistic
    value: float
    energy: EnergyRange
    counts: Floats
    components: Mapping[str, Floats]
    error: Floats
    residuals: Floats
    pair: CorrelatedPair | None
    aic: float
    bic: float
    alternatives: tuple[Alternative, ...]
    iterations: int
    stop_reason: str
    converged: bool
    scheme: str
    tailing: bool
    thermal_table: str
    albedo_angle: float | None
    distance: float
    doubts: tuple[Doubt, ...]

    @property
    def reduced_chi2(self) -> float:
        """χ² per degree of freedom: 1 is perfect, NaN without any."""
        return self.chi2 / self.ndof if self.ndof > 0 else float("nan")

    @property
    def verdict(self) -> str:
        """``trusted``, or ``doubtful`` if any doubt is serious."""
        return "doubtful" if any(doubt.serious for doubt in self.doubts) else "trusted"
