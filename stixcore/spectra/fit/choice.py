"""Which of several models a spectrum needs, by Akaike's criterion."""

from __future__ import annotations

from collections.abc import Sequence

from stixcore.spectra.fit.result import Alternative

#: The criterion must be lower by this for the model with more parameters (Burnham & Anderson 2002: "considerably less
#: support" from 4 on, "essentially none" from 10 on).
DECISIVE = 6.0


def choose_model(compared: Sequence[Alternative], n_channels: int) -> str:
    """Choose a model: the one with the fewest parameters unless one with more has a criterion lower by `DECISIVE`.

    Of models with as many parameters the one with the lowest criterion is taken. A model that has as many parameters as
    there are channels fits anything, and is taken only if all do.

    Parameters
    ----------
    compared : sequence of Alternative
        Fits of the same channels with the same errors.
    n_channels : int

    Returns
    -------
    str
        Name of the model.
    """
    tested = [one for one in compared if one.n_parameters < n_channels]
    if not tested:
        return min(compared, key=lambda one: one.n_parameters).model
    least = min(one.aic for one in tested)
    supported = [one for one in tested if one.aic == least or one.aic - least < DECISIVE]
    return min(supported, key=lambda one: (one.n_parameters, one.aic)).model
