"""VIS_FWDFIT: circles, ellipses and loops fitted to visibilities, with error bars and a choice of the model."""

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
