"""What several folders of `jobs` use: errors, limits, logs and the lock of the pipeline."""
