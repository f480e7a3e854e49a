"""Whether a file is ours, what it is and what it is called; its way into the archive, or into quarantine."""
