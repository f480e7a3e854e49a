"""The record of a spectrum beside its files, ``spectrum.json``: its row of the index, counts, components and fit."""

from __future__ import annotations

from archive.index.recorded import SPECTRUM_RECORDS, ResultRecord
from archive.index.schema import Spectrum

__all__ = ["SpectrumRecord", "read_spectrum_record", "write_spectrum_record"]

SpectrumRecord = ResultRecord[Spectrum]

read_spectrum_record = SPECTRUM_RECORDS.read_own
write_spectrum_record = SPECTRUM_RECORDS.write
