// What the pages do beyond plain forms and htmx: send only cells that changed,
// keep typed text through failures and reloads, move by keyboard, open a cell
// in place. Everything works without it.
(() => {
  const $ = (selector) => document.querySelector(selector);
  const form = $("#week-form"), panel = $("#panel"), key = "unsent " + location.pathname;
  const inputs = () => [...form.querySelectorAll("td > input")];
  const dirty = () => inputs().filter((i) => i.value !== i.defaultValue);
  const version = () => $("#week-version").value;
  const on = (type, does) => document.addEventListener(type, does);
  const say = (text, url, label) => {
    const p = document.createElement("p");
    p.className = "flash bad";
    p.append(text);
    if (url) p.append(" ", Object.assign(document.createElement("a"), { href: url, target: "_blank", textContent: label }));
    $("#notice").replaceChildren(p);
  };

  // hold keeps morphs away from a cell with text of its own; since remembers
  // which version of the week the text was typed over.
  const since = new WeakMap();
  const hold = (i, held) => i.closest("td").toggleAttribute("hx-morph-skip", held);
  const keep = () => {
    const texts = dirty().map((i) => [i.name, i.value, since.get(i)]);
    if (texts.length) sessionStorage.setItem(key, JSON.stringify(texts));
    else sessionStorage.removeItem(key);
  };
  const typed = (i) => {
    if (!since.has(i)) since.set(i, version());
    if (i.value !== i.defaultValue || i.ariaInvalid) hold(i, true);
    else settle(i);
    keep();
  };
  const settle = (i) => {
    since.delete(i);
    hold(i, false);
    i.closest("td").classList.remove("unsent");
  };

  let timer;
  const again = () => form.dispatchEvent(new Event("change"));
  const failed = (ctx) => {
    for (const i of ctx.sent?.keys() ?? []) i.closest("td")?.classList.add("unsent");
    clearTimeout(timer);
    timer = setTimeout(again, 5000);
  };
  const stored = (ctx) => ctx.response.status < 400 || ctx.response.status === 422;

  on("htmx:before:request", (e) => {
    const ctx = e.detail.ctx, from = ctx.sourceElement;
    if (from.matches?.("[hx-trigger^=every]") && document.hidden) e.preventDefault();
    if (!form || from !== form) return;
    const body = new URLSearchParams(), button = ctx.request.submitter;
    ctx.sent = new Map();
    let base = version();
    for (const i of dirty()) {
      body.append(i.name, i.value);
      ctx.sent.set(i, i.value);
      base = Math.min(base, since.get(i) ?? base);
    }
    if (button?.name) body.append(button.name, button.value);
    if (!body.size) return e.preventDefault();
    body.append("version", base);
    ctx.request.body = body;
  });
  // What a reader has opened stays open when a poll changes it.
  globalThis.htmx?.config.morphIgnore.push("open");
  // Filters that are not set stay out of the address.
  on("formdata", (e) => {
    if (e.target.method !== "get") return;
    for (const [name, value] of [...e.formData]) if (!value) e.formData.delete(name);
  });
  on("htmx:before:response", (e) => {
    const ctx = e.detail.ctx, raw = ctx.response.raw;
    if (!raw.redirected || !new URL(raw.url).pathname.startsWith("/login")) return;
    e.preventDefault();
    say("You are logged out. What you typed is still here and will be sent when you are back.", raw.url, "Log in in another tab");
    failed(ctx);
  });
  on("htmx:before:swap", (e) => {
    const ctx = e.detail.ctx;
    if (!ctx.sent || !stored(ctx)) return;
    for (const [i, text] of ctx.sent) if (i.value === text) settle(i);
    const cell = ctx.request.submitter?.closest("td");
    if (cell) settle(cell.querySelector("input"));
  });
  on("htmx:after:swap", (e) => {
    const ctx = e.detail.ctx;
    if (panel?.contains(ctx.sourceElement) && ctx.response.status < 400) panel.close();
    if (!ctx.sent) return;
    if (!stored(ctx)) return failed(ctx);
    for (const [i, text] of ctx.sent) {
      if (i.value === text) i.value = i.defaultValue;
      else since.set(i, version());
    }
    keep();
  });
  on("htmx:error", (e) => {
    const ctx = e.detail.ctx;
    if (!ctx?.sent) return;
    say("Not saved: the server cannot be reached. What you typed is still here and will be sent again.");
    failed(ctx);
  });

  if (form) {
    for (const i of inputs()) i.inputMode = "decimal";
    let back = 0;
    for (const [name, text, base] of JSON.parse(sessionStorage.getItem(key) || "[]")) {
      const i = form.querySelector('input[name="' + name + '"]');
      if (!i || i.readOnly || i.value === text) continue;
      i.value = text;
      since.set(i, base);
      hold(i, true);
      i.closest("td").classList.add("unsent");
      back++;
    }
    if (back) say("What you typed earlier is back in its cells and not saved yet. Press Enter in one of them to save.");
    addEventListener("online", again);
    form.addEventListener("input", (e) => typed(e.target));
    form.addEventListener("focusin", (e) => e.target.matches("td > input") && e.target.select());
    form.addEventListener("keydown", (e) => {
      const i = e.target, cell = i.matches("td > input") && i.parentElement;
      if (!cell || e.isComposing || e.ctrlKey || e.metaKey || e.altKey) return;
      const down = e.key === "ArrowDown" || (e.key === "Enter" && !e.shiftKey);
      if (e.key === "Escape") {
        i.value = i.dataset.was ?? i.defaultValue;
        typed(i);
        if ("was" in i.dataset) again(); // script made this change, so no event tells of it
        i.select();
      } else if (down || e.key === "ArrowUp" || e.key === "Enter") {
        const rows = cell.closest("table").rows;
        let at = cell.parentElement.rowIndex, next;
        while (!next && (at += down ? 1 : -1) >= 0 && rows[at]) next = rows[at].cells[cell.cellIndex]?.querySelector("td > input");
        e.preventDefault();
        if (next) next.focus();
        else if (e.key === "Enter") { i.blur(); i.focus(); }
        if (e.key === "Enter" && i.closest(".unsent")) again();
      }
    });
  }

  if (panel) {
    on("click", (e) => {
      const link = e.target.closest("a.d, [data-close]");
      if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
      if (link.matches("a.d")) {
        e.preventDefault();
        htmx.ajax("GET", link.href, { target: panel, swap: "innerHTML", select: "#cell" }).then(() => panel.open || panel.showModal());
      } else if (panel.contains(link)) {
        e.preventDefault();
        panel.close();
      }
    });
    panel.addEventListener("submit", (e) => {
      e.preventDefault();
      htmx.ajax("POST", e.target.action, { source: e.target, event: e, target: "#cell", swap: "outerMorph" });
    });
  }

  const push = $("#push-form");
  push?.addEventListener("change", () => {
    const ticked = [...push.querySelectorAll("[name=line]:checked")], total = $("#push-total");
    const sum = ticked.reduce((n, i) => n + +i.dataset.minutes, 0), m = Math.abs(sum);
    const clock = total.textContent.includes(":");
    total.textContent = (sum < 0 ? "-" : "") + (clock ? (m / 60 | 0) + ":" + String(m % 60).padStart(2, "0") : +(m / 60).toFixed(2));
    $("#push-count").textContent = ticked.length + (ticked.length === 1 ? " line" : " lines");
    $("#push-send").disabled = !ticked.length;
  });
})();
