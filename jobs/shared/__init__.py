"""Shared by the folders of `jobs`: errors, limits, logs and the lock of the pipeline."""
