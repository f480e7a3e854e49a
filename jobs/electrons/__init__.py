"""Electron maps: their files, pictures and description."""
