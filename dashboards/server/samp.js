// Sends files to programs on the visitor's computer: SAMP Web Profile, IVOA SAMP 1.3 section 5. XML-RPC over fetch.
(() => {
  const HUB = "http://localhost:21012/"
  const NONE = "No program was found. Start JHelioviewer, Aladin, TOPCAT or DS9 and look again. " +
    "Safari does not let pages reach programs; other browsers may ask you for permission."
  const offers = JSON.parse(document.getElementById("offers").textContent)
  const [look, status, list] = ["look", "status", "programs"].map((id) => document.getElementById(id))
  let key = ""

  const text = (value) => value.replace(/[&<>]/g, (sign) => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"})[sign])
  const encoded = (value) => {
    if (Array.isArray(value)) { return `<value><array><data>${value.map(encoded).join("")}</data></array></value>` }
    if (typeof value === "string") { return `<value><string>${text(value)}</string></value>` }
    const members = Object.entries(value).map(([name, one]) => `<member><name>${text(name)}</name>${encoded(one)}</member>`)
    return `<value><struct>${members.join("")}</struct></value>`
  }
  const decoded = (value) => {
    const inner = value.firstElementChild
    if (inner?.tagName === "struct") {
      const pair = (member) => [member.querySelector(":scope > name").textContent, member.querySelector(":scope > value")]
      return Object.fromEntries([...inner.children].map(pair).map(([name, one]) => [name, decoded(one)]))
    }
    if (inner?.tagName === "array") { return [...inner.querySelectorAll(":scope > data > value")].map(decoded) }
    return value.textContent
  }
  const call = async (method, ...values) => {
    const params = values.map((value) => `<param>${encoded(value)}</param>`).join("")
    const body = `<?xml version="1.0"?><methodCall><methodName>samp.webhub.${method}</methodName><params>${params}</params></methodCall>`
    const answer = await fetch(HUB, {method: "POST", headers: {"Content-Type": "text/xml"}, body, keepalive: method === "unregister"})
    const page = new DOMParser().parseFromString(await answer.text(), "text/xml")
    const fault = page.querySelector("fault > value")
    if (fault) { throw new Error(decoded(fault).faultString) }
    return decoded(page.querySelector("params value"))
  }

  // Addresses in a message are absolute: the program that gets it does not know this page.
  const absolute = (params) => Object.fromEntries(Object.entries(params).map(([name, value]) => [
    name, name === "url" ? (Array.isArray(value) ? value.map(resolved) : resolved(value)) : value,
  ]))
  const resolved = (address) => new URL(address, document.baseURI).href

  const send = async (offer, id, name) => {
    try {
      await call("notify", key, id, {"samp.mtype": offer.mtype, "samp.params": absolute(offer.params)})
      status.textContent = `Sent to ${name}: ${offer.label}.`
    } catch (error) {
      status.textContent = `Not sent to ${name}: ${error.message}. Look for programs again.`
    }
  }
  const show = (offer, programs) => {
    const row = list.appendChild(document.createElement("li"))
    row.append(`${offer.label}: `)
    for (const [id, name] of programs) {
      const button = row.appendChild(document.createElement("button"))
      button.type = "button"
      button.textContent = name
      button.setAttribute("aria-label", `Send ${offer.label} to ${name}`)
      button.addEventListener("click", () => send(offer, id, name))
    }
    if (programs.length === 0) { row.append("no running program takes it") }
  }
  const find = async () => {
    look.disabled = true
    list.replaceChildren()
    status.textContent = "Looking for programs. One of them may ask you to allow this page."
    try {
      if (!key) { key = (await call("register", {"samp.name": "STIX flare images"}))["samp.private-key"] }
      for (const offer of offers) {
        const ids = Object.keys(await call("getSubscribedClients", key, offer.mtype))
        const name = async (id) => [id, (await call("getMetadata", key, id))["samp.name"] ?? id]
        show(offer, await Promise.all(ids.map(name)))
      }
      status.textContent = "Choose a program."
    } catch (error) {
      key = ""
      status.textContent = error instanceof TypeError ? NONE : `The hub refused: ${error.message}.`
    }
    look.disabled = false
  }
  look.addEventListener("click", find)
  addEventListener("pagehide", () => { if (key) { call("unregister", key).catch(() => {}); key = "" } })
})()
