"""Limits of one request and of one user."""

from __future__ import annotations

from dataclasses import dataclass

from archive.accounts.names import NAME_LENGTH, RESERVED_NAMES
from archive.unpacked import LARGEST_MAP
from jobs.shared.errors import LimitReached
from stixcore.imaging.ensemble import MAX_MEMBERS
from stixcore.options import MAX_DISTANCE, PIXEL, SIDE

__all__ = ["NAME_LENGTH", "RESERVED_NAMES", "Limits"]


@dataclass(frozen=True)
class Limits:
    """Limits of image requests; the defaults suit a server with a few cores.

    Attributes
    ----------
    task_count : int
        Image sets of one request (time intervals × energy ranges).
    side : (low, high)
        Pixels along each side of an image.
    pixel : (low, high), arcsec
        Pixel size.
    ensemble : (low, high)
        Simulated copies of the data for uncertainty maps, if requested.
    distance : float, arcsec
        Distance of the map center from Sun center, along either axis.
    body : int, byte
        Size of a request as JSON.
    open_requests : int
        Waiting and running requests of one user.
    compute : float, s
        Computing time of one user within `compute_window`.
    compute_window : float, s
        Interval over which computing time is counted.
    task : float, s
        Time limit of one image set.
    request : float, s
        Computing time of one request.
    retries : int
        Attempts after infrastructure failures (full disk, lost scheduler, killed processes).
    deaths : int
        Times a request is resumed after its worker died without completing any of its image sets.
    map_size : int, byte
        Largest uploaded map of another instrument.
    map_unpacked : int, byte
        Largest unpacked size of a map that is packed with gzip.
    maps : int
        Uploaded maps of one user.
    maps_size : int, byte
        Total size of the uploaded maps of one user.
    """

    task_count: int = 500
    side: tuple[int, int] = SIDE
    pixel: tuple[float, float] = PIXEL
    ensemble: tuple[int, int] = (2, MAX_MEMBERS)
    distance: float = MAX_DISTANCE
    body: int = 256 * 1024
    open_requests: int = 50
    compute: float = 4 * 3600.0
    compute_window: float = 24 * 3600.0
    task: float = 300.0
    request: float = 3600.0
    retries: int = 5
    deaths: int = 100
    map_size: int = 16 << 20
    map_unpacked: int = LARGEST_MAP
    maps: int = 50
    maps_size: int = 256 << 20

    def check_map(self, shape: tuple[int, int], pixel: float, location: tuple[float, float] | None) -> None:
        """Check that a map is not too large, too fine, too coarse or too far from the Sun.

        Raises
        ------
        LimitReached
            When it is.
        """
        (least, most), (low, high) = self.side, self.pixel
        farthest = max(map(abs, location or (0.0,)))
        for side in shape:
            if not least <= side <= most:
                _refuse(f"images of {side} pixels a side, {least} to {most} are possible")
        if not low <= pixel <= high:
            _refuse(f"pixels of {pixel:g} arcsec, {low:g} to {high:g} are possible")
        if not farthest <= self.distance:
            _refuse(f"a map {farthest:g} arcsec from Sun centre, {self.distance:g} at most")

    def check_ensemble(self, n: int) -> None:
        """Check a number of simulated copies; 0 means no ensemble.

        Raises
        ------
        LimitReached
            When it is out of bounds.
        """
        low, high = self.ensemble
        if n and not low <= n <= high:
            _refuse(f"an ensemble of {n} copies, {low} to {high} are possible, or 0 for none")


def _refuse(sentence: str) -> None:
    message = f"this request asks for {sentence}"
    raise LimitReached(message)
