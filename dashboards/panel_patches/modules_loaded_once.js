// The browser loads the components' module itself, while the server still makes the page.
// es-module-shims, which Panel 1.10 puts in front of it, fetches the module as text when the first component arrives,
// rewrites its 1.4 MB, and has the browser compile it again at each visit; the browser's own import keeps what it compiled.
//     pn.Column(pmui.Button())  // the module is fetched by a script, not as a module
(function() {
  const shim = globalThis.importShim
  if (!shim) { return }
  globalThis.importShim = new Proxy(shim, {apply: (_, __, given) => import(given[0])})
  const module = document.querySelector("link[rel=modulepreload]")
  if (module) { import(module.href) }
})();
