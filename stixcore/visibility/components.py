"""Visibilities of spectral components from the visibilities of energy channels (Stiefel et al. 2025, A&A 704, A316).

A fit of the integrated spectrum gives the share of each component in the counts of every channel. The normalised
visibilities of the channels are then sums of those of the components, with these shares as weights, and least squares
over the channels give the components' visibilities, each sub-collimator by itself.

The 5 % systematic error of an amplitude is a gain of its sub-collimator, the same in all channels. It multiplies all
components of that sub-collimator by the same factor and does not change how well the channels agree. So the fit and its
χ² have the errors of counting only, and the gain enters the errors of the result. This is the same as a fit with the
full covariance of the channels, because a covariance that the model can produce does not change least squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import ReconstructionError
from stixcore.visibility.form import SYSTEMATIC_ERROR

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Condition number from which the weights of two components are the same within rounding.
SINGULAR = 1e8


@dataclass(frozen=True, eq=False)
class SeparatedVisibilities:
    """Visibilities of components for unit flux, and how well they explain the channels.

    Attributes
    ----------
    vis : (n_component, n_vis) complex
        Normalised: 1 at the origin of the (u, v) plane.
    covariance : (n_vis, n_component, n_component) float
        Of the real parts, and again of the imaginary parts, from counting alone.
    sigma : (n_component, n_vis) float
        Standard deviation of an amplitude, also of real and imaginary part: counting and gain.
    condition : float
        Condition number of the weights.
    chi2_of_labels : (n_vis,) float
        Sum over channels, real and imaginary parts; each has `ndof_of_label` degrees of freedom.
    chi2_of_channels : (n_channel,) float
        Sum over sub-collimators.
    ndof_of_channels : (n_channel,) float
        What the sum is on average for a correct model; they add up to ``ndof``.
    """

    vis: Complex
    covariance: Floats
    sigma: Floats
    condition: float
    chi2_of_labels: Floats
    chi2_of_channels: Floats
    ndof_of_channels: Floats

    @property
    def ndof_of_label(self) -> int:
        """Degrees of freedom of one sub-collimator, 2 (n_channel − n_component)."""
        return 2 * (self.chi2_of_channels.size - len(self.vis))

    @property
    def ndof(self) -> int:
        """Degrees of freedom, 2 n_vis (n_channel − n_component)."""
        return self.chi2_of_labels.size * self.ndof_of_label

    @property
    def chi2(self) -> float:
        """χ² of everything, not divided by ``ndof``."""
        return float(self.chi2_of_labels.sum())

    @property
    def reduced_chi2(self) -> float:
        """χ² per degree of freedom; NaN with as many components as channels."""
        return self.chi2 / self.ndof if self.ndof else float("nan")


def component_weights(counts: Floats) -> Floats:
    """Share of each component in the counts of each channel, (n_channel, n_component) float.

    Parameters
    ----------
    counts : (n_component, n_channel) float, ct
        Of the fitted model.

    Raises
    ------
    ReconstructionError
        When the model has no counts in a channel.
    """
    total = counts.sum(axis=0)
    if not (total > 0).all():
        message = f"the model has no counts in {int((~(total > 0)).sum())} of {total.size} channels"
        raise ReconstructionError(message)
    # w_c(E) = C_c(E) / Σ_c C_c(E)
    return np.asarray((counts / total).T)


def condition_number(weights: Floats, sigma: Floats) -> float:
    """Condition number of the weights as least squares see them.

    Rows are divided by the typical error of their channel, and columns by their length, so that the number does not
    depend on the units of flux or error. It is 1 where no channel has two components, and infinite where two
    components have the same shares.

    Parameters
    ----------
    weights : (n_channel, n_component) float
    sigma : (n_channel, n_vis) float
        Of the normalised visibilities.
    """
    rows = weights / np.median(sigma, axis=1)[:, None]
    length = np.sqrt((rows**2).sum(axis=0))
    if not (length > 0).all():
        return float("inf")
    # κ = s_max / s_min of W_ec / (σ_e |W_c|)
    values = np.linalg.svd(rows / length, compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0 and len(rows) >= len(length) else float("inf")


def separate(vis: Complex, sigma: Floats, flux: Floats, weights: Floats) -> SeparatedVisibilities:
    """Visibilities of components by least squares over the channels.

    Parameters
    ----------
    vis : (n_channel, n_vis) complex, ct s⁻¹ cm⁻² keV⁻¹
    sigma : (n_channel, n_vis) float
        Error of real and imaginary part from counting, without the systematic error of the amplitudes.
    flux : (n_channel,) float, ct s⁻¹ cm⁻² keV⁻¹
        Total flux of the channels, from the same pixels as the visibilities.
    weights : (n_channel, n_component) float
        From `component_weights`.

    Returns
    -------
    SeparatedVisibilities

    Raises
    ------
    ReconstructionError
        When there are fewer channels than components, a value is not usable, or components have the same shares.
    """
    n_channel, n_component = weights.shape
    if n_channel < n_component:
        message = f"{n_component} components need at least as many channels, found {n_channel}"
        raise ReconstructionError(message)
    if not (np.isfinite(vis).all() and np.isfinite(sigma).all() and (sigma > 0).all()):
        message = "a visibility of a channel is not a finite number with a positive error"
        raise ReconstructionError(message)
    if not (np.isfinite(flux).all() and (flux > 0).all()):
        message = "the total flux of a channel is not a positive number"
        raise ReconstructionError(message)
    # ν(E) = V(E) / F(E), with σ = σ_V / F
    normalised, error = vis / flux[:, None], sigma / flux[:, None]
    condition = condition_number(weights, error)
    if not condition < SINGULAR:
        message = "the components have the same shares in every channel, so no image can tell them apart"
        raise ReconstructionError(message)
    inverse = error.T**-2.0  # (n_vis, n_channel)
    # covariance = (Wᵀ Σ⁻¹ W)⁻¹
    covariance = np.linalg.inv(np.einsum("ec,je,ed->jcd", weights, inverse, weights))
    # ν_c = (Wᵀ Σ⁻¹ W)⁻¹ Wᵀ Σ⁻¹ ν
    found = np.einsum("jcd,ed,je,ej->cj", covariance, weights, inverse, normalised)
    # χ² = Σ |ν − W ν_c|² / σ²
    squares = np.abs(normalised - weights @ found) ** 2 * inverse.T
    leverage = np.einsum("ec,jcd,ed,je->ej", weights, covariance, weights, inverse)
    statistical = np.diagonal(covariance, axis1=1, axis2=2).T
    return SeparatedVisibilities(
        vis=found,
        covariance=covariance,
        # σ_c² = covariance_cc + (0.05 |ν_c|)²
        sigma=np.sqrt(statistical + (SYSTEMATIC_ERROR * np.abs(found)) ** 2),
        condition=condition,
        chi2_of_labels=squares.sum(axis=0),
        chi2_of_channels=squares.sum(axis=1),
        ndof_of_channels=2.0 * (1.0 - leverage).sum(axis=1),
    )


def component_fluxes(flux: Floats, width: Floats, weights: Floats) -> Floats:
    """Flux of each component in the band of all channels, (n_component,) float, ct s⁻¹ cm⁻² keV⁻¹.

    Parameters
    ----------
    flux : (n_channel,) float, ct s⁻¹ cm⁻² keV⁻¹
    width : (n_channel,) float, keV
    weights : (n_channel, n_component) float
    """
    # F_c = Σ w_c(E) F(E) ΔE / Σ ΔE
    return np.asarray((flux * width) @ weights / width.sum())
