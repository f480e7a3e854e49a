// A figure is not measured before it is ready.
// Bokeh 3.10 measures a figure that is still being created when the size of its container changes, which throws an
// error; it measures again when the figure is ready.
//     view._measure_layout()  // on a figure without layout: TypeError
(function() {
  let view = window.Bokeh?.Models.get("Figure")?.prototype.default_view?.prototype
  while (view && !Object.hasOwn(view, "_measure_layout")) { view = Object.getPrototypeOf(view) }
  for (const name of view ? ["_measure_layout", "_after_layout"] : []) {
    const measure = view[name]
    view[name] = function() { if (this.layout != null) { measure.call(this) } }
  }
})();
