"""Simulated flares in the layout of real files, for demonstrations and for tests with known truth.

Modules in reading order: `sources` (shapes on the sky), `response` (photons → counts), `spectrum`, `flare` (shape ×
spectrum × time), `instrument` (sky → rate per pixel), `observation` (rates → telemetered counts), `files`, `layout` and
`quicklook` (counts → FITS), `campaign` (days of files), `two_footpoints` (one flare of three known spectra). `quick`
makes A, B, C, D sums without files in a fraction of a millisecond.

Design notes
------------
- The simulator inverts the calibration with the same tables and functions: transmission and modulation of
  ``gsw-2026``, live time, pixel areas, phase corrections, (u, v) points, energy look-up tables, integer compression.
  It therefore cannot detect a wrong table or a wrong sign that both directions share; these are tested against values
  from IDL.
- The spectrum of a source is one of photons, a plasma or a thick target as in `stixcore.spectra.models`, folded with
  the response that spectra are fitted with. It is normalized by the counts that detectors would record per cm² without
  grids, ct s⁻¹ cm⁻² in a band: the unit of a visibility, so the flux of a source in a band is that at u = v = 0.
- Every source with its own spectrum is a component of its own.
- Random numbers come from a NumPy generator that is an argument, as all dates are: the same seed gives the same bytes.
- Deliberate simplifications: the grids' transmission changes with energy alike in all detectors, without a change of
  their modulation, and all have the windows of the coarse ones; no charge is lost in the detector; the Sun reflects
  nothing (albedo); the coarse flare locator is half open everywhere; the background monitor has fixed apertures;
  detectors differ only in grid and energy table; no pile-up distorts the spectrum; there are no temperature cycles or
  calibration drifts.
"""
