"""Visibilities of electron maps from the visibilities of energy channels (Piana et al. 2007, ApJ 665, 846).

The counts of a channel are those of all electrons above its energy, so neighbouring channels tell which electrons are
there. The inversion amplifies noise and needs a regularization. This one differs from that of the paper in three ways:

* The unknown is the electron flux divided by that of the whole flare, which is smooth, and what is kept small is its
  change with energy, not its size. Where the data do not determine a map, it tends to that of neighbouring energies,
  not to zero.
* One operator serves all sub-collimators and the total flux. So a map is the true map averaged over the same electron
  energies everywhere, with weights that are known; with an operator for each sub-collimator, a bright part of a map
  would have another energy resolution than a faint one.
* Its strength is the most likely one for all data (type-II likelihood), not one for which χ² equals the number of
  data. The errors then contain what smoothing removes, and not only noise.

The 5 % systematic error of an amplitude is a gain of its sub-collimator, the same in all channels. It multiplies the
electron visibilities at all energies, and is added to their errors (see `stixcore.visibility.components`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import ReconstructionError
from stixcore.visibility.form import SYSTEMATIC_ERROR

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Strengths of regularization that are compared, and strengths for the spectrum of the whole flare.
STRENGTHS = np.geomspace(1e6, 1e-4, 81)
SPECTRUM_STRENGTHS = np.geomspace(1e6, 1e-4, 31)
#: Channels that an inversion needs at least.
LEAST_CHANNELS = 4
MAX_STEPS = 50
#: Difference of the indices of two sources that defines `ElectronVisibilities.contrast`, and the factor in energy,
#: either way, over which their shares change.
INDEX_DIFFERENCE, NEARBY = 2.0, 1.1


@dataclass(frozen=True, eq=False)
class ElectronVisibilities:
    """Electron visibilities at some energies, with what is known of their truth.

    Attributes
    ----------
    energies : (n_energy,) float, keV
    vis : (n_energy, n_vis) complex, 10⁵⁰ electrons s⁻¹ cm⁻² keV⁻¹
    sigma : (n_energy, n_vis) float
        Error of real and imaginary part: noise, smoothing and gain.
    total : (n_energy,) float, 10⁵⁰ electrons s⁻¹ cm⁻² keV⁻¹
        Of the whole flare, W at the origin of the (u, v) plane.
    total_sigma : (n_energy,) float
        Its error: noise and smoothing.
    kernel : (n_energy, K) float
        Weights of the electron bins in W/P; their sum is 1.
    contrast : (n_energy,) float
        How much the shares of two sources whose indices differ by 2 change with energy in the maps, as a fraction of
        the true change: 0 if maps of neighbouring energies are the same.
    centres : (K,) float, keV
        Of the electron bins.
    reference : (K,) float, 10⁵⁰ electrons s⁻¹ cm⁻² keV⁻¹
        P, the smooth spectrum by which W is divided.
    strength : float
        λ.
    dof : float
        Number of independent energies that the data determine, for one visibility.
    scale : float
        χ² per degree of freedom, if more than 1; errors are larger by its root.
    chi2_of_labels : (n_vis,) float
        Sum over channels, real and imaginary part, with the errors of counting.
    n_channels : int
    """

    energies: Floats
    vis: Complex
    sigma: Floats
    total: Floats
    total_sigma: Floats
    kernel: Floats
    contrast: Floats
    centres: Floats
    reference: Floats
    strength: float
    dof: float
    scale: float
    chi2_of_labels: Floats
    n_channels: int

    @property
    def ndof_of_label(self) -> float:
        """Degrees of freedom of one sub-collimator, 2 (n_channel − dof)."""
        return 2.0 * (self.n_channels - self.dof)

    @property
    def reduced_chi2(self) -> float:
        """χ² of all sub-collimators per degree of freedom."""
        return float(self.chi2_of_labels.mean() / self.ndof_of_label)

    def quantiles(self, fractions: tuple[float, ...] = (0.16, 0.5, 0.84)) -> Floats:
        """Electron energies below which these fractions of the positive weights are, (n_energy, n) float, keV."""
        weights = np.cumsum(np.maximum(self.kernel, 0.0), axis=1)
        logs = np.log(self.centres)
        return np.array([np.exp(np.interp(fractions, row / row[-1], logs)) for row in weights])


def reference_spectrum(matrix: Floats, rate: Floats, sigma: Floats, centres: Floats) -> Floats:
    """Smooth electron spectrum of the whole flare, (K,) float in the unit of W.

    Its logarithm has the smallest third differences that AIC allows, starting from the best power law.

    Parameters
    ----------
    matrix : (I, K) float
        From `stixcore.spectra.electron_response.electron_response`.
    rate, sigma : (I,) float, ct s⁻¹
    centres : (K,) float, keV

    Raises
    ------
    ReconstructionError
        When no power law has positive counts.
    """
    log, third = _power_law(matrix, rate, sigma, centres), np.diff(np.eye(centres.size), 3, axis=0)
    best, least = log, np.inf
    for strength in SPECTRUM_STRENGTHS:
        log, aic = _smooth_log(matrix, rate, sigma, strength * third.T @ third, log)
        if aic < least:
            best, least = log, aic
    return np.exp(best)


def _power_law(matrix: Floats, rate: Floats, sigma: Floats, centres: Floats) -> Floats:
    """Logarithm of the power law that fits best."""
    best = None
    for delta in np.arange(1.0, 12.0, 0.25):
        log = -delta * np.log(centres / centres[0])
        model = matrix @ np.exp(log) / sigma
        norm = float(model @ (rate / sigma) / (model @ model))
        chi2 = float(((rate / sigma - norm * model) ** 2).sum())
        if norm > 0 and (best is None or chi2 < best[0]):
            best = chi2, log + np.log(norm)
    if best is None:
        message = "the counts of the flare are not those of electrons: no power law has positive counts"
        raise ReconstructionError(message)
    return np.asarray(best[1])


def _smooth_log(matrix: Floats, rate: Floats, sigma: Floats, penalty: Floats, start: Floats) -> tuple[Floats, float]:
    """Logarithm of P that minimises χ² + s·penalty·s by Gauss-Newton steps, and AIC."""
    log = start
    for _ in range(MAX_STEPS):
        spectrum = np.exp(log)
        slopes = matrix * spectrum / sigma[:, None]
        normal = slopes.T @ slopes + penalty
        step = np.linalg.solve(normal, slopes.T @ ((rate - matrix @ spectrum) / sigma) - penalty @ log)
        log = log + step * min(1.0, 1.0 / float(np.abs(step).max() + 1e-300))
        if np.abs(step).max() < 1e-6:
            break
    chi2 = float((((rate - matrix @ np.exp(log)) / sigma) ** 2).sum())
    return log, chi2 + 2.0 * float(np.trace(np.linalg.solve(normal, slopes.T @ slopes)))


@dataclass(frozen=True, eq=False)
class _Operator:
    """Regularized inverse for one strength; data and unknowns are scaled."""

    inverse: Floats
    smoothing: Floats
    dof: float


def _operator(scaled: Floats, roughness: Floats, strength: float) -> _Operator:
    # G = AᵀA + λ DᵀD, x = G⁻¹ Aᵀ z
    inverted = np.linalg.inv(scaled.T @ scaled + strength * roughness)
    inverse = inverted @ scaled.T
    # noise covariance G⁻¹AᵀA G⁻¹, smoothing covariance λ G⁻¹DᵀD G⁻¹; their sum is G⁻¹
    smoothing = strength * inverted @ roughness @ inverted
    return _Operator(inverse, smoothing, float(np.trace(inverse @ scaled)))


def _evidence(scaled: Floats, differences: Floats, data: Complex, strength: float) -> tuple[float, float]:
    """−2 ln likelihood of all data for a strength, up to a constant, and the scale of χ² (at least 1)."""
    n_channel, n_series = scaled.shape[0], 2 * data.shape[1]
    normal = scaled.T @ scaled + strength * differences.T @ differences
    found = np.linalg.solve(normal, scaled.T @ data)
    rough = strength * (np.abs(differences @ found) ** 2).sum()
    # q = Σ |z − A x|² + λ |D x|², N = 2 n_vis (n_channel − 1), scale s = max(1, q / N)
    q, n = float((np.abs(data - scaled @ found) ** 2).sum() + rough), n_series * (n_channel - 1)
    scale = max(1.0, q / n)
    # −2 ln L = q/s + N ln s + 2 n_vis [ln |G| − (K − 1) ln λ]
    determinant = np.linalg.slogdet(normal)[1] - differences.shape[0] * np.log(strength)
    return q / scale + n * np.log(scale) + n_series * determinant, scale


def invert(
    vis: Complex,
    sigma: Floats,
    rate: Floats,
    rate_sigma: Floats,
    matrix: Floats,
    reference: Floats,
    centres: Floats,
    energies: Floats,
    *,
    strength: float | None = None,
) -> ElectronVisibilities:
    """Electron visibilities at some energies.

    Parameters
    ----------
    vis : (n_channel, n_vis) complex
        Normalised: V(ε)/F(ε), 1 at the origin of the (u, v) plane.
    sigma : (n_channel, n_vis) float
        Error of real and imaginary part from counting.
    rate, rate_sigma : (n_channel,) float, ct s⁻¹
        Of the whole flare.
    matrix : (n_channel, K) float
        From `stixcore.spectra.electron_response.electron_response`, for the response of ``rate``.
    reference : (K,) float
        From `reference_spectrum`.
    centres : (K,) float, keV
        Of the electron bins.
    energies : (n_energy,) float, keV
        Within the electron bins.
    strength : float, optional
        λ; by default the most likely.

    Raises
    ------
    ReconstructionError
        When there are too few channels, a value is not usable, or an energy lies outside.
    """
    _require_usable(vis, sigma, rate, centres, energies)
    # y(ε) = C(ε) V(ε)/F(ε); rows are divided by the error, columns by P: A = K P / σ, x = W / P
    error = rate * np.sqrt((sigma**2).mean(axis=1))
    scaled = matrix * reference / error[:, None]
    data = vis * (rate / error)[:, None]
    differences = np.diff(np.eye(centres.size), axis=0)
    if strength is None:
        strength = float(min(STRENGTHS, key=lambda value: _evidence(scaled, differences, data, value)[0]))
    scale = _evidence(scaled, differences, data, strength)[1]
    operator = _operator(scaled, differences.T @ differences, strength)
    relative = operator.inverse @ data
    at = _interpolation(centres, energies)
    spectrum = np.exp(np.interp(np.log(energies), np.log(centres), np.log(reference)))
    found = spectrum[:, None] * (at @ relative)
    # each sub-collimator has its own noise: Σ_i H_ki² σ_i²(u, v) / σ_i²
    own = (at @ operator.inverse) ** 2 @ (sigma * rate[:, None] / error[:, None]) ** 2
    smooth = np.einsum("ek,kl,el->e", at, operator.smoothing, at)
    variance = scale * spectrum[:, None] ** 2 * (own + smooth[:, None])
    total = operator.inverse @ (rate / error)
    total_noise = (at @ operator.inverse) ** 2 @ (rate_sigma / error) ** 2
    residuals = data - scaled @ relative
    kernel = operator.inverse @ scaled
    return ElectronVisibilities(
        energies=energies,
        vis=found,
        # σ² = noise + smoothing + (0.05 |W|)²
        sigma=np.sqrt(variance + (SYSTEMATIC_ERROR * np.abs(found)) ** 2),
        total=spectrum * (at @ total),
        total_sigma=spectrum * np.sqrt(total_noise + scale * smooth),
        kernel=at @ kernel,
        contrast=_contrast(kernel, centres, energies),
        centres=centres,
        reference=reference,
        strength=strength,
        dof=operator.dof,
        scale=scale,
        chi2_of_labels=np.asarray((np.abs(residuals) ** 2).sum(axis=0)),
        n_channels=rate.size,
    )


def _require_usable(vis: Complex, sigma: Floats, rate: Floats, centres: Floats, energies: Floats) -> None:
    if rate.size < LEAST_CHANNELS:
        message = f"electron maps need at least {LEAST_CHANNELS} channels, found {rate.size}"
        raise ReconstructionError(message)
    if not (np.isfinite(vis).all() and np.isfinite(sigma).all() and (sigma > 0).all()):
        message = "a visibility of a channel is not a finite number with a positive error"
        raise ReconstructionError(message)
    if not (np.isfinite(rate).all() and (rate > 0).all()):
        message = "the count rate of a channel is not a positive number"
        raise ReconstructionError(message)
    outside = energies[~((energies >= centres[0]) & (energies <= centres[-1]))]
    if outside.size:
        message = f"electron energies are {centres[0]:.1f}-{centres[-1]:.0f} keV, found {outside[0]:g} keV"
        raise ReconstructionError(message)


def _contrast(kernel: Floats, centres: Floats, energies: Floats) -> Floats:
    """What the weights of all bins, (K, K), leave of a change with energy, (n_energy,) float."""

    def share(places: Floats) -> Floats:
        # of the softer one of two sources that are equal at E: p(E′) = 1 / (1 + (E′/E)²)
        return np.asarray(1.0 / (1.0 + (places / energies[:, None]) ** INDEX_DIFFERENCE))

    near = np.clip(energies[:, None] * np.array([1.0 / NEARBY, NEARBY]), centres[0], centres[-1])
    # contrast = Σ_k (w_k(E/1.1) − w_k(1.1 E)) p(E_k) / (p(E/1.1) − p(1.1 E)), w the weights
    lower, higher = (_interpolation(centres, side) @ kernel for side in near.T)
    shown, true = ((lower - higher) * share(centres)).sum(axis=1), share(near)
    return np.asarray(shown / (true[:, 0] - true[:, 1]))


def _interpolation(centres: Floats, energies: Floats) -> Floats:
    """Weights of the bins for values at energies between their centres, (n_energy, K) float; linear in ln E."""
    return np.array([np.interp(np.log(energies), np.log(centres), row) for row in np.eye(centres.size)]).T
