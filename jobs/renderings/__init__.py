"""Animations, overlays and cubes rendered on request."""
