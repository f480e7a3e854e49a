"""The command line ``stix-jobs``: arguments, commands and what they print."""
