// What follows the first content waits in <template> elements until the browser has drawn the first content: scripts
// that are at hand would otherwise run before it draws anything.
window.stixPage = (function() {
  let before = new Promise((resolve) => {
    if (document.hidden) { resolve() }  // nothing is drawn there
    requestAnimationFrame(() => setTimeout(resolve))
    setTimeout(resolve, 500)
  })
  const copied = (node) => {
    const script = document.createElement("script")
    for (const {name, value} of node.attributes) { script.setAttribute(name, value) }
    script.text = node.text
    script.async = false
    return script
  }
  const insert = async (template) => {
    let loaded = Promise.resolve()
    for (const node of [...template.content.childNodes]) {
      if (node.nodeName !== "SCRIPT") { template.before(node); continue }
      const script = copied(node)
      if (script.src) {
        loaded = new Promise((resolve) => { script.onload = script.onerror = resolve })
      } else {
        await loaded  // inline scripts use what these have loaded
      }
      template.before(script)
    }
    await loaded
    template.remove()
  }
  return {show: (id) => { before = before.then(() => insert(document.getElementById(id))) }}
})()
