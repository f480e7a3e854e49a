// A dialog that closes returns the focus to where it was.
// panel-material-ui 0.16 looks for that element in the document and finds the outermost shadow host, so the focus is lost; a
// table may also have redrawn its cells, under the same labels.
//     pmui.Row(button, pmui.Dialog("text", open=False))  // open by Enter, close by Escape: document.activeElement is body
(function() {
  let last = null, root = null
  document.addEventListener("focusin", (event) => {
    const path = event.composedPath()
    if (path.some((node) => node instanceof Element && node.classList.contains("MuiDialog-root"))) { return }
    last = path[0]
    root = last.getRootNode()
  }, true)
  window.stixFocusBack = () => {
    const name = last?.getAttribute("aria-label")
    const again = last?.isConnected ? last : name && root.querySelector(`[aria-label="${CSS.escape(name)}"]`)
    again?.focus()
  }
})();
