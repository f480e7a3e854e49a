"""Taking STIX files in: is a file ours, what is it, what is it called, which version counts, and why it was refused.

`names` identifies a file, `describe` makes its row, `versions` decides which of several files counts, `quarantine`
keeps refused files, `refile` moves misfiled ones, `calibration` adds energy tables and CAL files, and `ingest` does it
all for the files that are given to it.

The function of the same name is what most people want. The package exports it, so ``from archive import ingest`` is
that function; modules of this folder are imported by their full name, as in ``from archive.ingest.names import
identify``.
"""
