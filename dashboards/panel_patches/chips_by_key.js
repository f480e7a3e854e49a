// The chosen values of a MultiChoice (chips) can be removed with the keyboard.
// The chips of panel-material-ui 0.16 take the focus but ignore Enter, Delete and space; every one of them is a tab stop.
//     pmui.MultiChoice(options=["a", "b"], value=["a"])  // focus the chip, Enter: it stays
// The space bar acts on keyup: the field has the focus by then and would open otherwise.
for (const kind of ["keydown", "keyup"]) {
  document.addEventListener(kind, (event) => {
    const [chip] = event.composedPath(), down = kind === "keydown"
    if (!chip.matches?.(".MuiChip-deletable") || event.ctrlKey || event.altKey || event.metaKey) { return }
    const aside = {ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling"}[event.key]
    const away = (down ? ["Enter", "Delete", "Backspace"] : [" "]).includes(event.key)
    if (!aside && !away && event.key !== " ") { return }
    event.preventDefault()
    event.stopPropagation()
    if (aside && down) { chip[aside]?.focus() }
    if (away && !event.repeat) {
      chip.closest("[role=combobox]").focus()
      chip.querySelector(".MuiChip-deleteIcon").dispatchEvent(new MouseEvent("click", {bubbles: true}))
    }
  }, true)
}
