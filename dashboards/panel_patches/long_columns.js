// A column may be taller than the window.
// Bokeh 3.10 limits the height of a Column to that of the window: what follows a taller one is drawn over it.
//     pn.Column(*[pn.pane.Markdown("line")] * 200)  // getComputedStyle(column).maxHeight is "100%", not "none"
(function() {
  const columns = new CSSStyleSheet()
  columns.replaceSync(".bk-panel-models-layout-Column { max-height: none }")
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, columns]
  const attach = Element.prototype.attachShadow
  Element.prototype.attachShadow = function(options) {
    const root = attach.call(this, options)
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, columns]
    return root
  }
})();
