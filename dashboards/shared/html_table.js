// Rows of a table: head and cells are HTML from the server; clicks, sorting and ticks are sent to it.
export function render({model, el}) {
  const table = document.createElement("table")
  const [widths, head, body] = ["colgroup", "thead", "tbody"].map((name) => table.appendChild(document.createElement(name)))
  const narrow = document.createElement("style")
  table.className = "rows"
  const boxes = () => [...body.querySelectorAll(".box input")]
  const showTicks = () => {
    boxes().forEach((box, place) => { box.checked = model.ticked.includes(place) })
    const every = head.querySelector(".box input")
    if (!every) { return }
    every.checked = model.ticked.length > 0 && model.ticked.length === boxes().length
    every.indeterminate = model.ticked.length > 0 && !every.checked
  }
  const showHead = () => {
    const focused = el.getRootNode().activeElement?.closest("th")?.dataset.field
    narrow.textContent = model.narrow
    widths.innerHTML = model.widths
    head.innerHTML = model.head
    if (focused) { head.querySelector(`th[data-field="${focused}"] button`)?.focus() }
    showTicks()
  }
  const focusable = (row) => [...row?.querySelectorAll("a, button, input") ?? []]
  const showBody = () => {
    const focused = el.getRootNode().activeElement
    const row = focused?.closest("tbody tr")
    const place = [row?.sectionRowIndex, focusable(row).indexOf(focused)]
    body.innerHTML = model.body
    if (row) { focusable(body.rows[place[0]])[place[1]]?.focus() }
    showTicks()
  }
  model.on("head", showHead)
  model.on("body", showBody)
  model.on("ticked", showTicks)
  table.addEventListener("change", (event) => {
    const box = event.target.closest(".box input")
    if (!box) { return }
    const all = boxes()
    if (head.contains(box)) { all.forEach((one) => { one.checked = box.checked }) }
    model.ticked = all.flatMap((one, place) => one.checked ? [place] : [])
    showTicks()
  })
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("th, td")
    if (!cell || cell.classList.contains("box")) { return }
    if (cell.tagName === "TH") {
      if (event.target.closest("button")) { model.send_msg({sort: cell.dataset.field}) }
    } else if (!event.target.closest("a")) {
      model.send_msg({row: cell.parentElement.sectionRowIndex, field: head.rows[0].cells[cell.cellIndex].dataset.field})
    }
  })
  showHead()
  showBody()
  el.append(narrow, table)
}
