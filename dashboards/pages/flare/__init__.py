"""Everything about one flare on one page."""
