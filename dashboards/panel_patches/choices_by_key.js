// A select can be opened with the keyboard.
// Select, MultiSelect and MultiChoice of panel-material-ui 0.16 open when clicked and ignore Enter, arrow keys and space.
//     pmui.MultiChoice(options=["a", "b"])  // Tab, Enter: no list opens
// The space bar opens on keyup: on keydown the same key would also choose the first option.
for (const [kind, keys] of [["keydown", ["Enter", "ArrowDown", "ArrowUp"]], ["keyup", [" "]]]) {
  document.addEventListener(kind, (event) => {
    const [choice] = event.composedPath()
    if (!keys.includes(event.key) || event.repeat) { return }
    if (choice.matches?.(".MuiSelect-select[role=combobox]")) { choice.click() }
  }, true)
}
