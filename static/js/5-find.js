// Lists that are found while one types: the rows to add, and the palette. An
// input with data-finds asks that address, and shows what it answers for the
// element named "…-found" beside it. Its links and buttons are the options.
(() => {
  const { $, on, say } = furrow;
  document.documentElement.dataset.script = "";
  const found = (input) => $("#" + input.getAttribute("aria-controls").replace("list", "found"));
  const options = (input) => [...found(input).querySelectorAll("li :is(a, button)")];
  const chosen = (input) => options(input).findIndex((o) => o.ariaSelected === "true");
  const choose = (input, at) => {
    options(input).forEach((o, i) => (o.ariaSelected = i === at));
    const option = options(input)[at];
    if (!option) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  };
  // open makes a list of what was found a listbox.
  const open = (input) => {
    const box = found(input), list = box.querySelector("ul");
    list.role = "listbox";
    for (const e of list.querySelectorAll("li, form")) e.role = "presentation";
    options(input).forEach((o, i) => Object.assign(o, { role: "option", id: list.id + i, tabIndex: -1 }));
    box.hidden = false;
    input.role = "combobox";
    input.ariaExpanded = !!list.children.length;
    choose(input, 0);
  };
  const close = (input) => {
    found(input).hidden = true;
    input.ariaExpanded = false;
    input.removeAttribute("aria-activedescendant");
  };
  let asked = 0, timer;
  const ask = async (input, then) => {
    const mine = ++asked, text = input.value;
    clearTimeout(timer);
    try {
      const answer = await fetch(input.dataset.finds + encodeURIComponent(text));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const box = page.getElementById(found(input).id);
      if (mine !== asked || !input.isConnected) return;
      if (!box) return say("Nothing could be looked up. Load the page again.");
      found(input).replaceWith(box);
      htmx.process(box);
      open(input);
      input.foundFor = text;
      then?.();
    } catch {
      if (mine === asked) say("The server cannot be reached.");
    }
  };
  const soon = (input, after) => {
    clearTimeout(timer);
    timer = setTimeout(ask, after, input);
  };
  const finds = (does) => (e) => e.target.dataset?.finds && does(e.target, e);
  furrow.found = (input) => {
    input.foundFor = input.value;
    open(input);
  };
  on("input", finds((input) => soon(input, 80)));
  on("focusin", finds((input) => input.form.id === "find" && soon(input, 0)));
  on("focusout", finds((input) => input.form.id === "find" && close(input)));
  on("mousedown", (e) => e.target.closest(".found") && !e.target.closest("a[href^='/']") && e.preventDefault()); // the focus stays in the input
  on("keydown", finds((input, e) => {
    const all = options(input).length, at = chosen(input);
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      if (found(input).hidden) soon(input, 0);
      else choose(input, (at + (e.key === "ArrowDown" ? 1 : all - 1)) % all);
    } else if (e.key === "Enter" && !e.isComposing) {
      e.preventDefault();
      // Who types fast means what was typed, not what is still shown.
      if (input.foundFor === input.value && !found(input).hidden) options(input)[at]?.click();
      else ask(input, () => options(input)[0]?.click());
    } else if (e.key === "Escape" && input.form.id === "find" && !found(input).hidden) {
      e.preventDefault();
      close(input);
    }
  }));
  on("keypress", finds((input, e) => e.key === "Enter" && e.preventDefault())); // the form is sent by its options alone

  // A row that was added gets the focus, and so does one that was there already.
  const rows = () => [...document.querySelectorAll("#week-grid tbody tr[id^=r-]")];
  const focus = (row) => row?.cells[Math.max(1, $("#week-head .today")?.closest("th")?.cellIndex ?? 1)]?.querySelector("input")?.focus();
  let before;
  on("htmx:before:request", () => (before = new Set(rows().map((r) => r.id))));
  on("htmx:after:swap", (e) => {
    const ctx = e.detail.ctx, from = ctx.sourceElement;
    if (from?.id !== "find" && !from?.closest?.("#palette") || ctx.response.status >= 400 || !before) return;
    const added = rows().find((r) => !before.has(r.id));
    const input = $("#f-find");
    if (input && input.value === input.foundFor) {
      input.value = "";
      close(input);
    }
    from.closest("dialog")?.close();
    focus(added);
  });
  on("click", (e) => {
    const link = e.target.closest(".found a, a[href$='#add-row'], a[href='#f-project_task']");
    if (!link?.hash || link.pathname !== location.pathname) return;
    e.preventDefault();
    link.closest("dialog")?.close();
    if (link.hash.startsWith("#n-")) focus($(link.hash)?.closest("tr"));
    else $("#f-find")?.focus();
  });
})();
