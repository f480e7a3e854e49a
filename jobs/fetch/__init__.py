"""Downloads of missing files from the STIX data archive or from SOAR.

`client` decides what to fetch, `companions` which files belong together; `soar` finds files in SOAR; `download` gets a
file, resuming where it broke; `transport` makes the requests: pauses, retries, time limits.
"""
