"""Previews: which windows and bands of each science file are imaged without being asked, and when they are stale."""
