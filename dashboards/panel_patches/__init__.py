"""Every replacement of a private part of Panel, panel-material-ui, Bokeh or Tornado, one file each.

``tests/dashboards/panel_patches`` has a test for each fault (`test_upstream_faults` for Python, `test_page_scripts` for
the scripts of a page). It fails when the fault is gone, and then the file can go too.
"""
