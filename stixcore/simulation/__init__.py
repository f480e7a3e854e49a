"""Simulated flares in the real file layout: the demo's data, and the truth in tests.

Reading order: `sources` (shapes on the sky), `spectrum`, `flare` (shape × spectrum × time), `instrument` (sky → rate
per pixel), `observation` (rates → counts as they are telemetered), `files` and its neighbors (counts → FITS),
`campaign` (days of it). `quick` skips files and makes A, B, C, D sums in a fraction of a millisecond.

Design notes
------------
- The simulator runs the calibration backwards with the same tables and functions: transmission and modulation of
  ``gsw-2026``, live time, pixel areas, phase corrections, (u, v) points, energy look-up tables, integer compression.
  What it cannot test is therefore a wrong table or a wrong sign shared by both directions; those are tested against
  numbers from IDL.
- Spectra are count spectra: what the detectors would record per cm² without grids, ct s⁻¹ keV⁻¹ cm⁻². That is the unit
  of a visibility, so a source's band flux is the visibility at u = v = 0. No photon response matrix is applied.
- Every random draw comes from a NumPy generator that is passed in, every date is an argument: the same seed gives the
  same bytes.
- Kept simple on purpose: grid transmission does not depend on energy; the coarse flare locator is half open
  everywhere; the background monitor sees through fixed apertures; detectors are alike but for grid and energy table;
  no pile-up distorts the spectrum; temperature cycles and calibration drifts do not exist.
"""
