// A cell or a row is opened in place, in a dialog over the week.
(() => {
  const { $, on } = furrow;
  const panel = $("#panel");
  if (!panel) return;
  // panel opens an address, with the focus on a part of it; on its title if there
  // is none to begin with, where a key that is still held down does nothing.
  furrow.panel = (url, begin) =>
    htmx.ajax("GET", url, { target: panel, swap: "innerHTML", select: ".cellpage" }).then(() => {
      panel.ariaLabel = panel.querySelector("#row") ? "Row" : "Cell";
      if (!panel.open) panel.showModal();
      const title = panel.querySelector("h1");
      title.tabIndex = -1;
      (panel.querySelector(begin ?? "h1") ?? title).focus();
    });
  on("click", (e) => {
    const link = e.target.closest("a.d, a.r, [data-close]");
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
    if (link.matches("a.d, a.r")) {
      e.preventDefault();
      furrow.panel(link.href);
    } else if (panel.contains(link)) {
      e.preventDefault();
      panel.close();
    }
  });
  panel.addEventListener("submit", (e) => {
    e.preventDefault();
    htmx.ajax("POST", e.target.action, { source: e.target, event: e, target: panel.querySelector(".cellpage"), swap: "outerMorph" });
  });
  on("htmx:after:swap", (e) => {
    const ctx = e.detail.ctx;
    if (panel.contains(ctx.sourceElement) && ctx.response.status < 400) panel.close();
  });
})();
