"""Find the flares of a curve: candidate peaks, merging of close ones, and the extent of each flare."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stixcore.flares.envelope import deviation, deviation_at
from stixcore.flares.series import STEP, Floats


@dataclass(frozen=True)
class DetectionRules:
    """Parameters of flare detection.

    Attributes
    ----------
    window : float, s
        Length of the moving mean.
    height : float
        A flare rises above the envelope by this many standard deviations of one bin, √envelope.
    prominence : float
        A peak rises above the valley that separates it from a higher one by this many standard deviations of one bin
        (counting statistics and compression, at its own level).
    bend : float
        A shoulder bends the curve downward by this many standard deviations of one bin at its own level.
    rise : float
        Between a shoulder and its higher neighbor the curve bends upward by this many standard deviations.
    width : float, s
        Shortest flare.
    distance : float, s
        Closer peaks are one flare, which has the id of the higher one.
    edge : float
        A flare ends where the mean comes within this many standard deviations of the background.
    longest_gap : float, s
        Shorter gaps are interpolated; a longer one ends a flare.
    """

    window: float = 60.0
    height: float = 3.0
    prominence: float = 2.0
    bend: float = 1.75
    rise: float = 1.0
    width: float = 60.0
    distance: float = 300.0
    edge: float = 1.0
    longest_gap: float = 600.0


#: Time scales on all of which a bend must be seen, s.
BEND_SCALES = (120.0, 180.0)
#: Half-width of the interval in which the prominence of a peak is determined, s.
PROMINENCE_REACH = 3600.0


@dataclass(frozen=True)
class Peak:
    """A flare on the grid.

    Attributes
    ----------
    index, start, stop : int
        Grid points of the peak, of the start, and after the end.
    level : float, ct per 4 s
        Level below the flare: the background, or the valley or decay of a higher flare.
    height : float, ct per 4 s
        Height of the one-minute mean above that level.
    """

    index: int
    start: int
    stop: int
    level: float
    height: float


def bend(curve: Floats, background: Floats) -> Floats:
    """Downward curvature of the logarithm of a curve, in standard deviations of one bin; negative: upward.

    The excess over the background decays exponentially: its logarithm is a straight line, and a line between two times
    before and after lies on the curve. Where that line lies below the curve, a new flare has risen and begun to decay,
    even if the sum decreases throughout.

    Parameters
    ----------
    curve, background : (m,) float, ct per 4 s

    Returns
    -------
    (m,) float
        The smallest curvature over all `BEND_SCALES`; 0 where their signs differ.
    """
    # add three standard deviations: otherwise the logarithm would amplify the noise of the background
    excess = np.maximum(curve - background, 0.0) + 3.0 * np.sqrt(background)
    logarithm = np.log(excess)
    sigma = deviation(np.maximum(curve, background))
    bends = []
    for scale in BEND_SCALES:
        p = round(scale / STEP)
        if 2 * p >= curve.size:
            return np.zeros_like(curve)
        deficit = np.zeros_like(curve)
        # y_i - (y_{i-p} + y_{i+p}) / 2
        deficit[p:-p] = logarithm[p:-p] - 0.5 * (logarithm[: -2 * p] + logarithm[2 * p :])
        bends.append(excess * -np.expm1(-deficit) / sigma)
    down, up = np.min(bends, axis=0), np.max(bends, axis=0)
    # a bend counts when it shows on every scale
    return np.where(down > 0, down, np.where(up < 0, up, 0.0))


def find_peaks_of(curve: Floats, envelope: Floats, background: Floats, rules: DetectionRules) -> list[Peak]:
    """Flares of a curve without gaps, in order of time.

    Parameters
    ----------
    curve, envelope, background : (m,) float, ct per 4 s
    rules : DetectionRules

    Returns
    -------
    list of Peak
    """
    bends = bend(curve, background)
    high = curve >= envelope + rules.height * np.sqrt(envelope)
    found: list[Peak] = []
    for start, stop in _runs(curve >= background + rules.edge * np.sqrt(background)):
        if (stop - start) * STEP >= rules.width and high[start:stop].any():
            found += _peaks_of_run(curve, background, bends, high, slice(start, stop), rules)
    return found


def _runs(condition: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First index, and the one after the last, of every unbroken run of true values."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], condition, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(changes[::2], changes[1::2], strict=True)]


def _peaks_of_run(
    curve: Floats,
    background: Floats,
    bends: Floats,
    high: NDArray[np.bool_],
    run: slice,
    rules: DetectionRules,
) -> list[Peak]:
    """Flares of one run above the background: its maximum, and further peaks and shoulders."""
    from scipy.signal import find_peaks  # slow to import: half of the start-up time of a command

    part, bend_of_part = curve[run], bends[run]
    sigma = deviation(part)
    candidates = {int(np.argmax(part))}
    reach = 2 * round(PROMINENCE_REACH / STEP) + 1
    summits, _ = find_peaks(part, prominence=rules.prominence * sigma, wlen=reach)
    shoulders, _ = find_peaks(bend_of_part, height=rules.bend, prominence=rules.prominence, wlen=reach)
    candidates |= {int(i) for i in (*summits, *shoulders) if high[run][i]}
    chosen = _merged(part, bend_of_part, sorted(candidates), rules)
    cuts = [0, *(_cut(part, bend_of_part, a, b, rules) for a, b in pairwise(chosen)), part.size]
    peaks = []
    for i, (first, last) in zip(chosen, pairwise(cuts), strict=True):
        level = _level(part, background[run], bend_of_part, sigma, i, chosen)
        height = float(part[i] - level)
        if len(chosen) > 1 or height >= rules.prominence * deviation_at(level):
            peaks.append(Peak(run.start + i, run.start + first, run.start + last, level, height))
    return peaks


def _merged(curve: Floats, bends: Floats, candidates: list[int], rules: DetectionRules) -> list[int]:
    """Select the candidates that are separate flares: highest first, each far enough from all higher ones.

    Between a candidate and the next higher peak, whether that is a separate flare or part of one, the curve must turn
    upward, in a valley or a bend. Otherwise the candidate is only the rise or the decay of that peak.
    """
    chosen: list[int] = []
    distinct: list[int] = []
    for i in sorted(candidates, key=lambda index: (-curve[index], index)):
        if all(_turns_upward(curve, bends, i, other, rules) for other in _neighbors(i, distinct)):
            distinct.append(i)
            if all(abs(i - other) * STEP >= rules.distance for other in chosen):
                chosen.append(i)
    return sorted(chosen)


def _neighbors(i: int, peaks: list[int]) -> list[int]:
    before, after = [j for j in peaks if j < i], [j for j in peaks if j > i]
    return [*([max(before)] if before else []), *([min(after)] if after else [])]


def _turns_upward(curve: Floats, bends: Floats, i: int, j: int, rules: DetectionRules) -> bool:
    between = slice(min(i, j), max(i, j) + 1)
    return bool(bends[between].min() <= -rules.rise or _valley(curve, i, j, rules) is not None)


def _valley(curve: Floats, i: int, j: int, rules: DetectionRules) -> int | None:
    """Lowest point between two peaks if it is significantly below both, else None."""
    first = min(i, j)
    lowest = first + int(np.argmin(curve[first : max(i, j) + 1]))
    lower = float(min(curve[i], curve[j]))
    return lowest if lower - curve[lowest] >= rules.prominence * deviation_at(lower) else None


def _cut(curve: Floats, bends: Floats, i: int, j: int, rules: DetectionRules) -> int:
    """Where the flare with its peak at ``i`` ends and the one at ``j`` begins.

    At the valley between them or, without one, at the sharpest upward bend, but no later than the curve rises above the
    peak of the first flare.
    """
    valley = _valley(curve, i, j, rules)
    if valley is not None or j <= i + 1:
        return j if valley is None else valley
    sharpest = i + 1 + int(np.argmin(bends[i + 1 : j]))
    above = np.flatnonzero(curve[i:j] > curve[i] + rules.prominence * deviation_at(float(curve[i])))
    return min(sharpest, i + int(above[0])) if above.size else sharpest


def _level(curve: Floats, background: Floats, bends: Floats, sigma: Floats, i: int, chosen: list[int]) -> float:
    """Level below a flare: background, the higher of the valleys to higher flares, or another flare's decay or rise."""
    valleys = []
    for side in (chosen[: chosen.index(i)][::-1], chosen[chosen.index(i) + 1 :]):
        higher = next((j for j in side if curve[j] > curve[i]), None)
        if higher is not None:
            valleys.append(float(curve[min(i, higher) : max(i, higher) + 1].min()))
    if not valleys:
        return float(background[i])
    # a shoulder has no valley: its bend gives its own height
    return min(max(valleys), float(curve[i] - max(bends[i], 0.0) * sigma[i]))
