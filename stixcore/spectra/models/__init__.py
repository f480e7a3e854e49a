"""Models of photon spectra: mean photon flux in each bin, ph s⁻¹ cm⁻² keV⁻¹ at 1 AU."""

from stixcore.spectra.models.albedo import Albedo
from stixcore.spectra.models.thick_target import thick_target
from stixcore.spectra.models.thin_target import thin_target

__all__ = ["Albedo", "thick_target", "thin_target"]
