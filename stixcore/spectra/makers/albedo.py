"""Make ``data/albedo.npz``, the reflection of X-rays by the photosphere, from published functions.

    python -m stixcore.spectra.makers.albedo [OUT]

Green's functions of Compton reflection off a cold slab for an isotropic source above it: Magdziarz & Zdziarski 1995,
MNRAS 273, 837 (fits to Monte Carlo results, mu = 0.05-0.95), in the arrangement of XSPEC's ``reflect`` and ``pexrav``:
below 10 keV single and multiple scattering without energy loss (their non-relativistic limit, with Basko 1978, ApJ
223, 268), above 12 keV the Green's function, between them a smooth change. Photoelectric absorption: Morrison &
McCammon 1983, ApJ 270, 119, falling as E⁻³ above 10 keV.

The table holds G(mu, E, E₀): reflected flux at E per keV of direct flux at E₀, so that R(E) = ∫ G F dE₀.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Rest energy of the electron in keV: wavelengths are in units of Compton's, y = 511/E.
MC2 = 511.0
#: Electrons per hydrogen atom, and Thomson's cross-section in 10⁻²⁴ cm².
ELECTRONS, THOMSON = 1.21, 0.6652
#: Where the Green's function begins and where the table ends, keV.
LOWEST, HIGHEST = 10.0, 600.0
MU = np.round(np.arange(1, 20) * 0.05, 2)
#: Nodes of the table, 2.5 % apart.
NODES = np.geomspace(LOWEST, HIGHEST, 166)
#: Steps of sums over direct energies: in each of the two parts of a row, and over all nodes.
STEPS, ALL_STEPS = 4000, 200_000
#: Within a node the direct flux is taken to fall with this power; between nodes too.
SLOPE = 4.0
#: Energies of the factor without energy loss; iron's K edge lies between two of them.
ELASTIC = np.sort(
    np.concatenate([np.geomspace(3.0, 12.5, 120), [3.2099, 3.2101, 4.0379, 4.0381, 7.1109, 7.1111, 8.3309, 8.3311]])
)
#: Least and greatest logarithm that the integers of the table stand for; 0 means nothing is reflected.
LOG_RANGE = (-30.0, 4.0)

# Morrison & McCammon 1983, table 2: upper end in keV and the coefficients of (c0 + c1 E + c2 E²) E⁻³, 10⁻²⁴ cm² per
# hydrogen atom.
ABSORPTION = (
    (3.210, 342.7, 18.7, 0.0),
    (4.038, 352.2, 18.7, 0.0),
    (7.111, 433.9, -2.4, 0.75),
    (8.331, 629.0, 30.9, 0.0),
    (10.0, 701.2, 25.2, 0.0),
)
# Magdziarz & Zdziarski 1995, appendix: a₀ … a₃ are polynomials in ln y₀ without a constant; each coefficient is a
# polynomial in mu (first to last) plus sign · exp(p (mu − q)).
SHAPE: tuple[tuple[tuple[tuple[float, ...], float, float, float], ...], ...] = (
    (
        ((0.8827, -0.5885, 0.7988, -0.4117), 0, 0, 0),
        ((0.0517, 0.1076, -0.1691, 0.0678), 0, 0, 0),
        ((0.0014, 0.0043), 0, 0, 0),
        ((-0.0003, -0.0027, 0.0021), 0, 0, 0),
    ),
    (
        ((-1.3259, 1.6214, -3.7007, 2.1722), 1, 20.3, 1.063),
        ((0.0790, -0.4029, 0.6619, 0.2210), -1, 17.7, 1.041),
        ((0.0751, -0.1848, 0.4068, -0.4126), 1, 9.8, 1.185),
        ((-0.0020, -0.0394, 0.1004, -0.0597), 0, 0, 0),
    ),
    (
        ((3.2953, -3.6996, 7.9837, -4.6855), 0, 0, 0),
        ((-0.5278, 0.9857, -1.7454, -0.3464), 1, 27.6, 0.959),
        ((-0.1919, 0.5798, -1.2879, 1.4885), -1, 18.3, 0.986),
        ((0.0200, 0.0832, -0.0333, -0.2370), 1, 16.6, 1.086),
    ),
    (
        ((-2.2779, 2.4031, -4.0733, 1.9499), -1, 19.6, 0.968),
        ((0.4790, -1.0166, 3.1727, -4.0108, 3.0545), -1, 30.4, 0.957),
        ((0.1122, -0.3580, 0.4985, -0.3750, -0.5349), 1, 31.2, 0.972),
        ((-0.0160, -0.0471, -0.0536, 0.2006, 0.2929), -1, 30.6, 1.009),
        ((0.0005, 0.0021, -0.0447, 0.1749, -0.2303), 1, 16.9, 1.130),
    ),
)


def polynomial(x: float, *coefficients: float) -> float:
    """Polynomial c₀ + c₁ x + c₂ x² + … of one number."""
    return float(np.polynomial.polynomial.polyval(x, coefficients))


def absorption(energies: Floats) -> Floats:
    """Photoelectric cross-section per hydrogen atom, 10⁻²⁴ cm²; energies in keV, from 2.471."""
    upper = np.array([row[0] for row in ABSORPTION])
    c0, c1, c2 = np.array([row[1:] for row in ABSORPTION])[
        np.minimum(np.searchsorted(upper, energies), upper.size - 1)
    ].T
    inside = np.minimum(energies, upper[-1])
    return np.asarray((c0 + c1 * inside + c2 * inside**2) / energies**3)


def scattered_fraction(energies: Floats) -> Floats:
    """Single-scattering albedo λ: Thomson's share of the total cross-section."""
    return np.asarray(1.0 / (1.0 + absorption(energies) / (ELECTRONS * THOMSON)))


def elastic(mu: float, energies: Floats) -> Floats:
    """Reflected over direct flux at the same energy, without energy loss (Magdziarz & Zdziarski 1995, appendix)."""
    share = scattered_fraction(energies)
    log, root = np.log(1.0 + 1.0 / mu), np.sqrt(1.0 - share)
    single = 3 / 8 * ((3 - 2 * mu**2 + 3 * mu**4) * log + (3 * mu**2 - 1) * (0.5 - mu))
    escape = 1.0 + (1.0 / root - 1.0) * (1.0 - np.log(1.0 + np.sqrt(3.0) * root) / (np.sqrt(3.0) * root))
    multiple = (escape * (1.0 + np.sqrt(3.0) * mu) / (1.0 + np.sqrt(3.0) * mu * root) - 1.0) * log
    return np.asarray(0.5 * share * mu * (single + multiple))


def green(mu: float, energy: float, incident: Floats) -> Floats:
    """G(mu, E, E₀), per keV: reflected flux at ``energy`` per direct flux at ``incident`` (keV, above 10)."""
    y, y0 = MC2 / energy, MC2 / incident
    shift = y - y0
    near = np.minimum(shift, 2.0)  # the two forms meet at 2, the shift of a photon scattered back once
    once = _single(mu, y0, near) * _single_absorbed(mu, y0, near)
    often = _multiple(mu, y0, np.maximum(shift, 2.0)) * np.exp(_path(y0, np.maximum(shift, 2.0) - 0.15))
    # per unit of y₀ the photons are G; dy₀ = (511/E₀²) dE₀ and N(E) = N(y) y²/511 leave 1/E
    return np.where(shift < _least_shift(mu), 0.0, np.where(shift <= 2.0, once, often)) / energy


def _least_shift(mu: float) -> float:
    """Δy below which nothing is reflected: that of the smallest angle through which a photon turns."""
    return float(1.0 - np.sqrt(1.0 - (mu - 0.05) ** 2))


def _single(mu: float, y0: Floats, shift: Floats) -> Floats:
    """Y G for shifts up to 2: its form at 511 keV times e^Σ aᵢ(y₀) rⁱ; above y₀ = 10 scaled from there."""
    capped = np.minimum(y0, 10.0)
    log = np.log(capped)
    ratio = np.log((2.0 + capped) / (capped + shift)) / np.log((2.0 + capped) / capped)
    exponent = np.zeros(np.broadcast(y0, shift).shape)
    for power, rows in enumerate(SHAPE):
        coefficients = [polynomial(mu, *c) + sign * np.exp(p * (mu - q)) for c, sign, p, q in rows]
        exponent += sum(c * log ** (k + 1) for k, c in enumerate(coefficients)) * ratio**power
    b0 = polynomial(mu, 0.006, 0.089, -0.102, 0.056)
    # The authors' own program (grxy in XSPEC) leaves out the ln(y₀/10) of the printed form: it meets the limit without
    # energy loss and a Monte Carlo calculation to 3 %, the printed one to 5 %.
    soft = 1.0 + b0 * 0.326 * ((y0 / 10.0) ** 1.692 - 1.0)
    scale = np.where(y0 > 10.0, soft * (y0 + shift) / (10.0 + shift), 1.0)
    return np.asarray(_single_at_511(mu, shift) * np.exp(exponent) * scale)


def _single_at_511(mu: float, shift: Floats) -> Floats:
    """(1 + Δy) G of photons of 511 keV for shifts up to 2: the lesser of a line and a form with a threshold."""
    b0, b1 = 0.911 - 0.549 * (1.0 - mu) ** 1.471, 0.254 - 0.041 * mu**-3.798
    b2 = 0.161 + 0.439 * mu**0.189 - 0.791 * mu**7.789
    b3 = max(-0.871 + 1.740 * mu**0.176 - 1.088 * mu**0.907, 0.0)
    b4 = 0.934 + 0.054 * mu**-0.666
    b5 = polynomial(min(mu, 0.524), 4.647, -11.574, 11.046)
    b6 = 0.012 + 0.199 * mu**0.939 + 0.861 * mu**8.999
    b8 = polynomial(mu, -1.281, 2.374, -4.332, 2.630)
    b9 = 2.882 + 0.035 * mu**-1.065
    b10, b11 = 30.28 + 69.29 * mu, 1.037 * (1.0 - np.sqrt(1.0 - 0.874 * mu**2)) ** 0.123
    shift = np.maximum(shift, 0.0)
    rise = 1.0 + np.exp(b10 * (b11 - shift**0.123))
    threshold = (b2 + b3 * np.maximum(b4 - shift, 0.0) ** b5 + b6 * (2.150 - shift) ** b8) ** b9 / rise
    return np.asarray(np.minimum(b0 + b1 * (shift - 2.0), threshold))


def _multiple(mu: float, y0: Floats, shift: Floats) -> Floats:
    """Y G for shifts of 2 and more: its form at 511 keV times a₅ (1 + a₆/y)^{a₇ (1 + a₈/y)}."""
    y, log = y0 + shift, np.log(y0)
    b13 = polynomial(mu, 56.50, -27.54, 671.8, -1245.0, 708.4)
    b14, b15 = polynomial(mu, -0.897, -0.826, 2.273, -0.984), 1.240 - 1.297 * mu
    b16 = polynomial(mu, -0.490, 1.181, -1.038)
    total = 1.858 * (mu**2.033 + 0.745 * mu**1.065) * shift**-1.5
    at_511 = total * (1.0 + shift) * (1.0 + b13 / (1.0 + shift)) ** (b14 + b15 * (1.0 + shift) ** b16)
    a5 = 0.230 + 0.033 * log + 0.763 * y0**-0.507 + 0.007 * y0**-1.553
    a7 = -0.100 + 0.115 * log + 0.100 * y0**1.623
    hard = (0.618 - 0.830 * mu) + (0.128 - 0.132 * mu) * log
    b5, b6 = polynomial(mu, 0.0126, -0.0160, 0.0077), polynomial(mu, 0.0111, 0.0030, -0.0014)
    b7 = polynomial(mu, -2.437, -0.328, -0.260, 0.279)
    soft = (0.632 - 0.875 * mu) + polynomial(mu, -0.672, -0.286, 0.717, -0.481) * log + b5 * (b6 + 1.0 / y0) ** b7
    a8 = np.where(y0 < 1.0, hard, soft)
    return np.asarray(at_511 * a5 * (1.0 + 75.180 / (y0 * y)) ** (a7 * (1.0 + a8 / y)))


def _absorption_constant() -> float:
    """The a of λ = 1/(1 + a y³), from the cross-section at 10 keV."""
    return float(absorption(np.array([LOWEST]))[0] * LOWEST**3 / (ELECTRONS * THOMSON) / MC2**3)


def _single_absorbed(mu: float, y0: Floats, shift: Floats) -> Floats:
    """Share that absorption leaves at shifts up to 2: λ₀ {A + (1 − A) [1 + (e^{0.381 Δy} − 2) √(1 − λ)] e^path}."""
    a = _absorption_constant()
    first, last = 1.0 / (1.0 + a * y0**3), 1.0 / (1.0 + a * (y0 + shift) ** 3)
    share = polynomial(mu, 0.802, -1.019, 2.528, -3.198, 1.457) + (0.030 / mu) ** 4
    bend = 1.0 + (np.exp(0.381 * shift) - 2.0) * np.sqrt(1.0 - last)
    return np.asarray(first * (share + (1.0 - share) * bend * np.exp(_path(y0, shift))))


def _path(y0: Floats, shift: Floats) -> Floats:
    """∫ ln λ dy from y₀ to y₀ + Δy, closed form for λ = 1/(1 + a y³)."""
    root = np.cbrt(_absorption_constant())

    def primitive(d: Floats) -> Floats:  # of ln(1 + d³)
        part = np.log((1.0 + d) / np.sqrt(1.0 - d + d**2)) + np.sqrt(3.0) * np.arctan((2.0 * d - 1.0) / np.sqrt(3.0))
        return np.asarray(d * np.log1p(d**3) - 3.0 * d + part)

    return np.asarray((primitive(root * y0) - primitive(root * (y0 + shift))) / root)


def incident_energies(mu: float, energy: float) -> tuple[Floats, Floats]:
    """Energies E₀ (m,) that reach ``energy``, keV, and their widths: fine where one scattering is enough."""
    y, least = MC2 / energy, _least_shift(mu)
    top = max(MC2 / HIGHEST, y - 2.0)
    edges = [np.linspace(top, y - least, STEPS + 1)] if y - least > top else []
    if top > MC2 / HIGHEST:
        edges.insert(0, np.geomspace(MC2 / HIGHEST, top, STEPS + 1))
    bounds = [MC2 / part for part in edges]
    energies = [MC2 / ((part[1:] + part[:-1]) / 2.0) for part in edges]
    return np.concatenate([*energies, []]), np.concatenate([*(-np.diff(part) for part in bounds), []])


def node_matrix(mu: float) -> Floats:
    """G at the nodes (K, K), averaged over each node's triangle with weight E₀⁻⁴: rows E, columns E₀."""
    matrix = np.zeros((NODES.size, NODES.size))
    fine = np.geomspace(LOWEST, HIGHEST, ALL_STEPS + 1)
    middle = np.sqrt(fine[1:] * fine[:-1])
    area = _share(middle, np.diff(fine) * middle**-SLOPE)
    for row, energy in enumerate(NODES):
        incident, width = incident_energies(mu, float(energy))
        if incident.size:
            matrix[row] = _share(incident, green(mu, float(energy), incident) * width * incident**-SLOPE) / area
    return matrix


def _share(energies: Floats, amounts: Floats) -> Floats:
    """Divide amounts between the two nodes next to their energies, linearly."""
    left = np.clip(np.searchsorted(NODES, energies, side="right") - 1, 0, NODES.size - 2)
    weight = np.clip((energies - NODES[left]) / (NODES[left + 1] - NODES[left]), 0.0, 1.0)
    low = np.bincount(left, amounts * (1.0 - weight), NODES.size)
    return np.asarray(low + np.bincount(left + 1, amounts * weight, NODES.size))


def packed(matrices: Floats) -> NDArray[np.uint16]:
    """Upper triangles as 16-bit steps of the logarithm, 5·10⁻⁴ apart."""
    upper = matrices[:, *np.triu_indices(NODES.size)]
    low, high = LOG_RANGE
    logs = np.log(np.maximum(upper, np.exp(low)))
    return np.where(logs <= low, 0, np.clip(np.rint((logs - low) / (high - low) * 65535), 0, 65535)).astype(np.uint16)


def main(out: Path) -> None:
    """Write the table."""
    np.savez_compressed(
        out,
        mu=MU,
        nodes=NODES,
        green=packed(np.stack([node_matrix(float(mu)) for mu in MU])),
        log_range=np.array(LOG_RANGE),
        slope=np.array(SLOPE),
        elastic_energies=ELASTIC,
        elastic=np.stack([elastic(float(mu), ELASTIC) for mu in MU]).astype(np.float32),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "data" / "albedo.npz")
