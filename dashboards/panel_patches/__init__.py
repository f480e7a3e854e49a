"""Every replacement of a private part of Panel, panel-material-ui, Bokeh or Tornado, one file each."""
