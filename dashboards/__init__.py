"""Web pages of the archive.

The modules in this folder are the pages that ``panel serve dashboards/*.py`` serves; what they consist of is in the
folders. See ``DESIGN.md``.
"""
