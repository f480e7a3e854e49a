"""Downloads of missing files from the STIX data archive or from SOAR.

`client` decides what to download, `companions` which files belong together; `soar` finds files in SOAR; `transport`
makes the requests: pauses, retries, resumed transfers.
"""
