"""Downloads of missing files from the STIX archive.

`client` decides what to download, `companions` which files belong together; `transport` makes the requests: pauses,
retries, resumed transfers.
"""
