// Back and Forward load the page that the URL describes.
// Panel 1.10 sets the URL of the browser and does not notify Python when Back or Forward changes it.
//     pn.state.location.param.watch(print, "search")  // history.back(): nothing is printed
window.addEventListener("popstate", () => location.reload())
