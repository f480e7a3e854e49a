"""What ``stix-jobs check`` looks for in files, images, index and light curves, and how rows are rebuilt from files."""
