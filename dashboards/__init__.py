"""What a person wants to see: web pages over the archive.

This folder holds what ``panel serve dashboards/*.py`` shall serve and nothing else; everything the pages are made of is
in the folders below. See ``DESIGN.md``.
"""
