"""VIS_FWDFIT: fits of circles, ellipses and loops to visibilities, with error bars and model selection."""

from stixcore.imaging.forward_fit.fit import (
    AUTO,
    CANDIDATES,
    ForwardFitParameters,
    ModelSelection,
    Uncertainty,
    fit_circle,
    forward_fit,
)
from stixcore.imaging.forward_fit.shapes import Shape

__all__ = [
    "AUTO",
    "CANDIDATES",
    "ForwardFitParameters",
    "ModelSelection",
    "Shape",
    "Uncertainty",
    "fit_circle",
    "forward_fit",
]
