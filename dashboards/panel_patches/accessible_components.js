// Components of panel-material-ui 0.16 get the labels and roles that they lack.
// Buttons in number fields, the progress bar and the title have no name or role.
//     pmui.IntInput(label="Count")  // its buttons have neither text nor aria-label
// Every component draws in its own shadow root, at its own time, so each root is observed.
(function() {
  const repair = (root) => {
    const every = (selector, change) => root.querySelectorAll(selector).forEach(change)
    every(".MuiLinearProgress-root", (bar) => bar.setAttribute("aria-label", "Working"))
    every("h3.title", (title) => { title.setAttribute("role", "heading"); title.setAttribute("aria-level", "1") })
    every("h5.MuiTypography-root", (head) => { head.ariaHidden = head.textContent.trim() ? null : "true" })
    every(".main-content:not([tabindex])", (main) => {  // arrow keys scroll it
      main.tabIndex = 0
      main.style.outlineOffset = "-3px"  // it fills the window: a focus ring outside of it would be invisible
    })
    // chosen values: Tab stops at the first one, arrow keys move to the others
    every("[role=combobox]", (choice) => {
      choice.querySelectorAll(".MuiChip-deletable").forEach((chip, number) => {
        chip.tabIndex = number ? -1 : 0
        chip.ariaLabel = `Take away ${chip.textContent}`
      })
    })
    // a chosen option is removed from the list and loses the focus: without it, no key would close the list
    if (document.activeElement === document.body) {
      const next = root.querySelector(".MuiMenu-list > [role=menuitem]:not(.Mui-disabled)")
      const list = next ?? root.querySelector(".MuiMenu-paper")
      list?.focus()
    }
    for (const [place, name] of [["Start", "Less"], ["End", "More"]]) {
      every(`.MuiInputAdornment-position${place} > button:not([aria-label])`, (button) => {
        const field = button.closest(".MuiFormControl-root")?.querySelector("label")
        if (field && !button.textContent.trim()) { button.ariaLabel = `${name}: ${field.textContent}` }
      })
    }
  }
  const watch = (root) => {
    new MutationObserver(() => repair(root)).observe(root, {childList: true, subtree: true})
    return root
  }
  const attach = Element.prototype.attachShadow
  Element.prototype.attachShadow = function(options) { return watch(attach.call(this, options)) }
  watch(document)
})();
