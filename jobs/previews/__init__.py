"""Previews: images made automatically from each science file; which windows and bands, and when they are stale."""
