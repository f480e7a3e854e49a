"""Downloads from the STIX archive: what is missing here, politely and resumably."""
