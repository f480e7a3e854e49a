"""What can be used on a page, found by looking at the page itself, and what the page looks like to a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page

#: Functions for the browser. Everything on these pages stands in open shadows, which they look into.
SCRIPT = """
window.walk = (() => {
  const CONTROLS = [
    "button", "a[href]", "input", "select", "textarea", "summary", "video", "[role=button]", "[role=tab]",
    "[role=combobox]", "[role=slider]", "[role=switch]", ".bk-Figure",
    ".bk-ToolButton", '[tabindex="0"]',
  ].join(",")
  // things of which there are many alike: one of each stands for all
  const ROWS = ".rows tbody tr, [data-image], .requests li, .lines > div, tbody tr, .MuiChip-deletable"
  const KINDS = [  // the first that fits
    ["input[type=checkbox], [role=switch]", "checkbox"], ["input[type=file]", "file"], ["input[type=hidden]", ""],
    ["input[type=range], [role=slider]", "slider"], ["[role=combobox], select", "choice"],
    ["input, textarea", "field"], ["[role=tab]", "tab"], ["summary", "fold"], ["a[href]", "link"],
    [".MuiChip-deletable", "chip"], [".rows th button", "head"], [".bk-ToolButton", "tool"], [".bk-Figure", "figure"],
    ["button, [role=button]", "button"], ["video", "film"], [".scroll", "region"],
    ["*", "place"],  // can be reached, and nothing else is known of it
  ]
  const kind = (node) => KINDS.find(([selector]) => node.matches(selector))[1]
  const host = (node) => node.getRootNode() instanceof ShadowRoot ? node.getRootNode().host : null
  const parent = (node) => node.parentElement ?? host(node)
  const within = (node, selector) => {
    for (let at = node; at; at = parent(at)) { if (at.matches(selector)) { return at } }
    return null
  }
  const every = (root, tell, leave = "#opening") => {
    for (const node of root.children ?? []) {
      if (node.matches(leave)) { continue }
      tell(node)
      if (node.shadowRoot) { every(node.shadowRoot, tell, leave) }
      every(node, tell, leave)
    }
  }
  const seen = (node) => {
    if (node.matches("input[type=file]")) { return true }
    const style = getComputedStyle(node), box = node.getBoundingClientRect()
    if (box.width <= 1 || box.height <= 1 || !node.checkVisibility()) { return false }  // as in what is folded
    return style.visibility !== "hidden" && !within(node, "[aria-hidden=true]")
  }
  const clean = (text) => (text ?? "").replace(/\\s+/g, " ").trim()
  const name = (node) => {
    const root = node.getRootNode(), find = (selector) => clean(node.querySelector(selector)?.textContent)
    const texts = (ids) => (ids ?? "").split(" ").map((id) => root.getElementById?.(id)?.textContent ?? "").join(" ")
    const label = node.id && root.querySelector(`label[for="${CSS.escape(node.id)}"]`)
    const above = node.closest(".MuiFormControl-root")?.querySelector("label")
    return [
      node.getAttribute("aria-label"), texts(node.getAttribute("aria-labelledby")), label?.textContent,
      node.closest("label")?.textContent, above?.textContent, node.matches(".bk-Figure") ? "plot" : "",
      node.matches("input") ? node.placeholder : node.textContent, node.title,
      node.className?.toString().split(" ")[0], node.tagName,
    ].map(clean).find(Boolean)
  }
  const front = () => {
    let last = null
    every(document, (node) => { if (node.matches("[role=dialog]") && seen(node)) { last = node } })
    return last
  }
  const controls = () => {
    const found = [], known = new Map(), dialog = front()
    every(document, (node) => {
      delete node.dataset?.walk
      if (!node.matches(CONTROLS) || !seen(node) || (dialog && !within(node, "[role=dialog]"))) { return }
      const what = kind(node)
      if (!what || (what === "place" && (node.querySelector(CONTROLS) || node.matches(".bk-layer")))) { return }
      // inside of another control: a picture in a button, the drawing of a switch
      const outer = parent(node) && within(parent(node), "button, a[href], [role=tab]")
      if (outer && seen(outer) && what !== "checkbox") { return }
      const row = within(node, ROWS), digits = (text) => text.replace(/\\d+/g, "#")
      let called = name(node).slice(0, 70)
      if (row && what === "link") { called = digits(clean(node.textContent)) }
      if (row && what !== "link") { called = node.className?.toString() || digits(called) }
      if (what === "chip") { called = "one of many" }
      const key = `${what}|${row ? "row" : "page"}|${called}`, before = known.get(key) ?? 0
      known.set(key, before + 1)
      if (row && before) { found.find((one) => one.key === `${key}|0`).alike += 1; return }
      node.dataset.walk = `${found.length}`
      found.push({
        key: `${key}|${row ? 0 : before}`, kind: what, name: called, alike: 1, row: Boolean(row),
        off: Boolean(node.disabled || node.getAttribute("aria-disabled") === "true"),
        on: ["aria-selected", "aria-current", "aria-pressed"].some(
          (state) => ["true", "page"].includes(node.getAttribute(state))
        ),
        download: node.hasAttribute("download"), href: node.getAttribute("href"),
        beside: node.tabIndex < 0 && Boolean(node.closest("[role=tablist], [role=group], [role=combobox]")),
      })
    })
    return found
  }
  // Everything that somebody could notice, as one text; without the value of one control.
  const TOLD = [
    "href", "src", "disabled", "aria-selected", "aria-pressed", "aria-expanded", "aria-current", "aria-sort", "open",
  ]
  const looks = (without) => {
    const parts = [location.href]
    every(document, (node) => {
      for (const child of node.childNodes) { if (child.nodeType === 3) { parts.push(child.data.trim()) } }
      for (const key of TOLD) { if (node.hasAttribute(key)) { parts.push(`${key}=${node.getAttribute(key)}`) } }
      if (node.matches("input, textarea")) { parts.push(`${node.value}${node.checked}`) }
      if (node.matches("video")) { parts.push(`${node.paused}`) }
      if (node.offsetWidth) { parts.push(node.tagName) }
    }, `#opening, style, script${without === null ? "" : `, [data-walk="${without}"]`}`)
    for (const model of (window.Bokeh?.documents ?? []).flatMap((doc) => [...doc._all_models.values()])) {
      if (model.type === "Range1d") { parts.push(`${model.start},${model.end}`) }
      if (model.type.endsWith("Tool")) { parts.push(`${model.active}`) }
      if (model.type === "BoxAnnotation") { parts.push(`${model.left},${model.right},${model.visible}`) }
      if (model.type.endsWith("Scale") || model.visible === false) { parts.push(model.id) }
      if (model.type === "ColumnDataSource") { parts.push(`${model.id} ${Object.values(model.data)[0]?.length}`) }
    }
    let hash = 0
    for (const part of parts) {
      for (let i = 0; i < part.length; i++) { hash = (Math.imul(hash, 31) + part.charCodeAt(i)) | 0 }
    }
    return `${parts.length} ${hash}`
  }
  const active = () => {
    let at = document.activeElement
    while (at?.shadowRoot?.activeElement) { at = at.shadowRoot.activeElement }
    return at === document.body ? null : at
  }
  const focused = () => {
    const at = active()
    if (!at) { return null }
    const control = within(at, "[data-walk]")
    const again = at.dataset.reached === "yes" && !at.matches("video")  // Tab goes through the buttons of a film
    const shown = at.matches("input[type=file]") ? within(at, "label, button") ?? at : at  // it is not seen itself
    const box = shown.getBoundingClientRect()
    at.dataset.reached = "yes"
    return {
      walk: control ? Number(control.dataset.walk) : null, box: [box.x, box.y, box.width, box.height], again,
      looks: `${kind(at)} ${(at.className?.toString() ?? "").replace(/\\S*(css|_|-)\\S*\\d\\S*/g, "")}`,
    }
  }
  // Texts that nobody can read to their end: beside the window, or cut by a box that neither scrolls nor shows that.
  const cut = () => {
    const found = []
    every(document, (node) => {
      const own = [...node.childNodes].filter((child) => child.nodeType === 3 && child.data.trim())
      if (!own.length || !seen(node) || within(node, "style, script, svg, option, .bk-Figure")) { return }
      const range = document.createRange()
      range.setStart(own[0], 0)
      range.setEnd(own.at(-1), own.at(-1).length)
      const text = range.getBoundingClientRect()
      if (text.width < 2 || text.height < 2) { return }
      for (let at = node; at && at !== document.body; at = parent(at)) {
        const style = getComputedStyle(at), box = at.getBoundingClientRect()
        if (box.width <= 2 || box.height <= 2 || style.clip !== "auto" || style.position === "fixed") { return }
        if (/auto|scroll/.test(style.overflowX + style.overflowY)) { return }
        // a long name in a list may be shortened, a heading or the label of a field may not
        const named = at.matches(".MuiInputLabel-root")
        if (style.textOverflow === "ellipsis" && !named) { return }
        if (style.webkitLineClamp !== "none") { return }
        if (/hidden|clip/.test(style.overflowX) && (text.right > box.right + 2 || text.left < box.left - 2)) {
          found.push(clean(own[0].data).slice(0, 60))
          return
        }
      }
      if (text.right > innerWidth + 1 || text.left < -1) { found.push(clean(own[0].data).slice(0, 60)) }
    })
    return found
  }
  let last = null
  const leave = () => { last = active(); last?.blur() }
  const back = () => last?.focus()
  return { controls, looks, focused, leave, back, cut }
})()
"""


@dataclass(frozen=True)
class Control:
    """Something that can be used.

    Attributes
    ----------
    key : str
        The same after the page was loaded anew.
    number : int
        Its mark in the page.
    kind, name : str
        "button", "field", … and what it is called.
    alike : int
        How many of the sort are there; this is the first.
    in_row : bool
        Part of a row or card.
    off, on : bool
        Disabled; chosen already.
    download : bool
    href : str or None
    by_arrows : bool
        One of several, of which Tab comes to one and arrow keys to the others.
    """

    key: str
    number: int
    kind: str
    name: str
    alike: int
    in_row: bool
    off: bool
    on: bool
    download: bool
    href: str | None
    by_arrows: bool

    def on_page(self, page: Page) -> Locator:
        return page.locator(f'[data-walk="{self.number}"]').first


def controls_of(page: Page) -> list[Control]:
    """Everything usable on the page; while a dialog is open, in that."""
    return [
        Control(
            one["key"], number, one["kind"], one["name"], one["alike"], one["row"], one["off"], one["on"],
            one["download"], one["href"], one["beside"],
        )
        for number, one in enumerate(page.evaluate("walk.controls()"))
    ]  # fmt: skip


def looks_of(page: Page, without: int | None = None) -> str:
    """What the page looks like, hashed; ``without`` the value of one control."""
    return str(page.evaluate("without => walk.looks(without)", without))


def cut_off(page: Page) -> list[str]:
    """Beginnings of the texts that are cut off by a box or by the window."""
    found: list[str] = page.evaluate("walk.cut()")
    return found


def focused_on(page: Page) -> dict[str, Any] | None:
    found: dict[str, Any] | None = page.evaluate("walk.focused()")
    return found


def rest(page: Page, most_ms: int = 15_000) -> None:
    """Wait until the page has come to rest: it looks the same twice in a row, longer apart than the server thinks."""
    page.wait_for_function(
        """async () => {
            const first = walk.looks(null)
            await new Promise((done) => setTimeout(done, 700))
            return first === walk.looks(null)
        }""",
        timeout=most_ms,
        polling=100,
    )
