// Quick add and the palette open over the page.
(() => {
  const { $, on, say } = furrow;
  const dialogOf = (part) => $("#over-" + part) ?? document.body.appendChild(Object.assign(document.createElement("dialog"), { id: "over-" + part, className: "over" }));
  // The dialog opens at once and takes what is typed before its page is there;
  // else letters would be lost, or do what they do as keys.
  const open = async (href, part) => {
    const dialog = dialogOf(part);
    for (const other of document.querySelectorAll("dialog.over[open]")) if (other !== dialog) other.close();
    const early = Object.assign(document.createElement("input"), { className: "line", ariaLabel: "Opening" });
    dialog.replaceChildren(early);
    if (!dialog.open) dialog.showModal();
    early.focus();
    const answer = await fetch(href).then((answer) => answer.text()).catch(() => "");
    const page = new DOMParser().parseFromString(answer, "text/html").getElementById(part);
    if (!page) {
      dialog.close();
      return say("That could not be opened. Load the page again.");
    }
    dialog.replaceChildren(page);
    dialog.setAttribute("aria-labelledby", part + "-title");
    htmx.process(page);
    const input = page.querySelector("[autofocus]"), typed = early.value;
    input.value += typed;
    input.focus();
    if (input.dataset.finds) furrow.found(input);
    if (typed) input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const opens = (part) => () => {
    const link = $("[data-over=" + part + "]");
    if (link) open(link.href, part);
    else if (part === "palette") open("/palette", part);
  };
  on("furrow:quick", opens("quick"));
  on("furrow:palette", opens("palette"));
  on("click", (e) => {
    const link = e.target.closest("[data-over], dialog.over a, a[data-line]");
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
    const input = link.dataset.line && $("#quick-line");
    if (input) {
      e.preventDefault();
      input.value = link.dataset.line;
      input.focus();
      input.dispatchEvent(new Event("input", { bubbles: true }));
    } else if (link.dataset.over) {
      e.preventDefault();
      open(link.href, link.dataset.over);
    } else if (link.pathname.endsWith("/quick")) {
      e.preventDefault();
      open(link.href, "quick");
    }
  });
  // The line is asked about when nothing more is typed for a moment, if it is
  // still there by then.
  let timer;
  on("input", ({ target }) => {
    if (target.id !== "quick-line") return;
    clearTimeout(timer);
    timer = setTimeout(() => target.isConnected && target.dispatchEvent(new Event("ask")), 120);
  });
  // What is done from here is answered like a change of the week: in place if the
  // week is there, by going to it if it is not.
  on("submit", (e) => {
    if (!e.target.closest("dialog.over")) return;
    if (e.target.method === "get" || e.submitter?.formMethod === "get") return e.preventDefault();
    if (!$("#week-grid")) return;
    e.preventDefault();
    htmx.ajax("POST", e.target.action, { source: e.target, event: e, target: "#notice", swap: "innerHTML" });
  });
  on("htmx:after:swap", (e) => {
    const ctx = e.detail.ctx;
    if (ctx.request?.method === "POST" && ctx.response.status < 400) ctx.sourceElement.closest?.("dialog.over")?.close();
  });
})();
