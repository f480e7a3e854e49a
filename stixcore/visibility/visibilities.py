"""The container of complex visibilities, and its conversion to and from ``xrayvision``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stixcore import notebook
from stixcore.coordinates import Pointing, hpc_to_stix, rotate_uv_to_hpc
from stixcore.errors import SelectionError

if TYPE_CHECKING:
    from xrayvision.visibility import Visibilities as XrayVisibilities

Floats = NDArray[np.float64]


class Frame(StrEnum):
    """Axes of u and v."""

    STIX = "stix"
    HPC = "hpc"


@dataclass(frozen=True, eq=False)
class Visibilities:
    """Complex visibilities V(u, v) = ∬ I(x, y) e^{+2πi(ux+vy)} dx dy, (x, y) relative to the phase centre.

    Attributes
    ----------
    u, v : (n_vis,) float, arcsec⁻¹
    vis : (n_vis,) complex, ct s⁻¹ keV⁻¹ cm⁻²
    sigma : (n_vis,) float
        Standard deviation of the amplitude, used for the real and for the imaginary part.
    labels : tuple of str
        Sub-collimators, "10a" … "1c".
    phase_center : (2,) float, arcsec
        Point in ``frame`` that the phases refer to.
    frame : Frame
    meta : mapping
        Additional information (time, energy, scheme …); never used in computations.

    Raises
    ------
    SelectionError
        When the arrays do not have one value per label.
    """

    u: Floats
    v: Floats
    vis: NDArray[np.complex128]
    sigma: Floats
    labels: tuple[str, ...]
    phase_center: tuple[float, float] = (0.0, 0.0)
    frame: Frame = Frame.STIX
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.labels)
        for name in ("u", "v", "vis", "sigma"):
            if getattr(self, name).shape != (n,):
                message = f"{name} has shape {getattr(self, name).shape}, {n} labels need ({n},)"
                raise SelectionError(message)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def amplitude(self) -> Floats:
        """|V|, ct s⁻¹ keV⁻¹ cm⁻²."""
        return np.abs(self.vis)

    @property
    def phase(self) -> Floats:
        """Phase in degrees, (-180, 180]."""
        return np.rad2deg(np.angle(self.vis))

    def plot(self, axes: Any = None) -> Any:
        """Draw amplitudes with errors, and phases, into two matplotlib axes, by default new ones; returns them."""
        amplitude, phase = notebook.new_axes(rows=2, size=(8.0, 2.8)) if axes is None else axes
        place = np.arange(len(self))
        amplitude.errorbar(place, self.amplitude, self.sigma, fmt="o", markersize=4)
        with np.errstate(divide="ignore"):
            error = np.minimum(np.rad2deg(self.sigma / self.amplitude), 180.0)
        phase.errorbar(place, self.phase, error, fmt="o", markersize=4)
        amplitude.set(ylabel="amplitude [ct s⁻¹ cm⁻² keV⁻¹]", xticks=place, xticklabels=self.labels)
        phase.set(ylabel="phase [deg]", xlabel="sub-collimator", xticks=place, xticklabels=self.labels)
        for one in (amplitude, phase):
            one.tick_params("x", rotation=90)
        return amplitude, phase

    def peek(self) -> None:
        """Show amplitudes and phases in a figure."""
        self.plot()
        notebook.show()

    def _repr_html_(self) -> str:
        heads = ("sub-collimator", "u [1/arcsec]", "v [1/arcsec]", "amplitude", "σ", "phase [deg]")
        columns = zip(self.labels, self.u, self.v, self.amplitude, self.sigma, self.phase, strict=True)
        rows = [(label, *(f"{value:.4g}" for value in values)) for label, *values in columns]
        title = f"{len(self)} visibilities, ct s⁻¹ cm⁻² keV⁻¹, {self.frame.value} axes"
        return notebook.columns_html(title, heads, rows)

    def select(self, labels: Iterable[str]) -> Visibilities:
        """Visibilities of these sub-collimators, in this order.

        Raises
        ------
        SelectionError
            When one is missing.
        """
        wanted = tuple(labels)
        missing = [label for label in wanted if label not in self.labels]
        if missing:
            message = f"no visibilities of sub-collimators {missing}; there are {list(self.labels)}"
            raise SelectionError(message)
        index = [self.labels.index(label) for label in wanted]
        return replace(
            self, u=self.u[index], v=self.v[index], vis=self.vis[index], sigma=self.sigma[index], labels=wanted
        )

    def shifted(self, x: float, y: float) -> Visibilities:
        """Visibilities with the phase centre moved to (x, y) in this frame, arcsec."""
        dx, dy = x - self.phase_center[0], y - self.phase_center[1]
        # mapcentre phase: -2π(u x_c + v y_c)
        turned = self.vis * np.exp(-2j * np.pi * (self.u * dx + self.v * dy))
        return replace(self, vis=turned, phase_center=(x, y))

    def to_helioprojective(self, pointing: Pointing, x: float, y: float) -> Visibilities:
        """Convert from the STIX frame to helioprojective axes (north up), with the phase centre at (x, y) arcsec.

        The (u, v) points are rotated instead of the image, so nothing is resampled.

        Raises
        ------
        SelectionError
            When the visibilities are already in helioprojective axes.
        """
        if self.frame is not Frame.STIX:
            message = "these visibilities are in helioprojective axes already"
            raise SelectionError(message)
        x_stix, y_stix = hpc_to_stix(x, y, pointing)
        moved = self.shifted(float(x_stix), float(y_stix))
        u, v = rotate_uv_to_hpc(self.u, self.v, pointing.roll)
        return replace(moved, u=u, v=v, phase_center=(x, y), frame=Frame.HPC)

    def to_xrayvision(self) -> XrayVisibilities:
        """Convert to ``xrayvision.visibility.Visibilities``, with units and the meta keys that it supports."""
        import astropy.units as unit
        from xrayvision.visibility import Visibilities as Xray
        from xrayvision.visibility import VisMeta

        flux = unit.ct / (unit.s * unit.keV * unit.cm**2)
        return Xray(
            self.vis * flux,
            self.u / unit.arcsec,
            self.v / unit.arcsec,
            phase_center=np.array(self.phase_center) * unit.arcsec,
            meta=VisMeta({"instrument": "STIX", "vis_labels": list(self.labels)}),
            amplitude_uncertainty=self.sigma * flux,
            uncertainty=self.sigma * flux,
        )

    @classmethod
    def from_xrayvision(cls, xray: XrayVisibilities, frame: Frame = Frame.STIX) -> Visibilities:
        """Convert from ``xrayvision.visibility.Visibilities``; missing labels become "v0", "v1" and so on.

        Raises
        ------
        SelectionError
            When the set has no uncertainties.
        """
        sigma = xray.amplitude_uncertainty if xray.amplitude_uncertainty is not None else xray.uncertainty
        if sigma is None:
            message = "these xrayvision visibilities carry no uncertainty, which every method here needs"
            raise SelectionError(message)
        value = np.atleast_1d(np.asarray(xray.visibilities.value, dtype=complex))
        known = xray.meta.vis_labels if xray.meta is not None else None
        labels = (
            tuple(str(label) for label in known) if known is not None else tuple(f"v{i}" for i in range(value.size))
        )
        center = xray.phase_center.to_value("arcsec")
        return cls(
            u=np.atleast_1d(xray.u.to_value("1/arcsec")),
            v=np.atleast_1d(xray.v.to_value("1/arcsec")),
            vis=value,
            sigma=np.atleast_1d(np.abs(np.asarray(sigma.value, dtype=float))),
            labels=labels,
            phase_center=(float(center[0]), float(center[1])),
            frame=frame,
        )
