// A table is drawn once when a page loads.
// Panel 1.10 redraws a Tabulator for every style sheet that arrives, six times the cost of turning a page.
//     pn.widgets.Tabulator(frame)  // style_redraw is called once per style sheet
(function() {
  const view = window.Bokeh?.Models.get("panel.models.tabulator.DataTabulator")?.prototype.default_view?.prototype
  if (!view?.style_redraw) { return }
  const {render, style_redraw} = view
  const undrawn = new Set()
  view.render = function() {
    undrawn.add(this)
    render.call(this)
  }
  view.style_redraw = function() {
    clearTimeout(this.styles_arrived)
    this.styles_arrived = setTimeout(() => {
      undrawn.delete(this)
      if (this.el.isConnected) { style_redraw.call(this) }
    }, 20)
  }
  window.stixTablesStand = () => ![...undrawn].some((table) => table.el.isConnected)
})();
