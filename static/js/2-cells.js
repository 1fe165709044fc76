// The cells of the grid: what is typed is kept here until the server has
// answered for it, through failures, reloads and whatever changes the page.
(() => {
  const { $, on, say } = furrow;
  const form = $("#week-form"), mine = "typed " + $(".who span")?.title + " ";
  const others = Object.keys(sessionStorage).filter((k) => k.startsWith(mine) && k !== mine + location.pathname);
  const remind = (...sentence) => $("#notice").append(furrow.sentence(...sentence));
  if (others.length) remind("What you typed in another week is not saved yet.", "bad", { href: others[0].slice(mine.length), textContent: "Go there" });
  if (!form || !globalThis.htmx) return;
  const key = mine + location.pathname;
  const cells = () => [...form.querySelectorAll("input[name^='p.']")];
  const named = (name) => form.querySelector("input[name='" + name + "']");
  const version = () => $("#week-version").value;

  // drafts are the texts that are not stored, by the name of their cell. base is
  // the version of the week that they were typed over; done: they may be sent;
  // late: they are not where they should be, which is shown. sent is the body of
  // a request without an answer. It is sent again as it was, and the server knows
  // it by its mutation_id; what is typed meanwhile waits for the next one.
  const kept = JSON.parse(sessionStorage.getItem(key) || "{}"), drafts = new Map(kept.drafts);
  const waiting = [];
  let sent = kept.sent, busy = false, pause = 0, timer;
  const keep = () => {
    if (sent || drafts.size) sessionStorage.setItem(key, JSON.stringify({ sent, drafts: [...drafts] }));
    else sessionStorage.removeItem(key);
  };
  const texts = (body) => [...new URLSearchParams(body)].filter(([name]) => name.startsWith("p."));

  // draft keeps a text of a cell; its stored one is nothing to keep.
  const draft = (i, text, done) => {
    const base = drafts.get(i.name)?.base ?? version();
    if (text !== i.defaultValue || i.ariaInvalid || texts(sent).some(([name]) => name === i.name)) drafts.set(i.name, { text, base, done });
    else drafts.delete(i.name);
    keep();
  };
  // commit takes texts into their cells, and sends them as one change.
  const commit = (pairs) => {
    for (const [i, text] of pairs) draft(i, text, true);
    save();
  };
  // back takes the stored text of a cell instead of what was typed.
  const back = (i) => {
    if (i.ariaInvalid) return commit([[i, i.dataset.was]]);
    draft(i, i.defaultValue);
    show();
  };
  // show puts drafts into their cells, and what is stored into the others.
  const show = () => {
    const under = new Set(busy ? texts(sent).map(([name]) => name) : []);
    for (const i of cells()) {
      const d = drafts.get(i.name), text = d ? d.text : i.defaultValue, { classList } = i.parentElement;
      if (i.value !== text) i.value = text;
      classList.toggle("unsent", !!d?.late);
      classList.toggle("saving", under.has(i.name) && !d?.late);
    }
  };

  const next = () => {
    const ready = [...drafts].filter(([, d]) => d.done), base = Math.min(...ready.map(([, d]) => d.base));
    if (!ready.length) return;
    const body = new URLSearchParams({ mutation_id: furrow.mutation(), version: base });
    for (const [name, d] of ready) if (+d.base === base) body.append(name, d.text);
    return body.toString();
  };
  // save sends what is ready, one request after the other: none overtakes another.
  const save = () => {
    const idle = !busy;
    if (idle) sent ??= next();
    busy = !!sent;
    keep();
    show();
    if (!busy) return waiting.splice(0).forEach(([does]) => does());
    clearTimeout(timer);
    if (idle) form.dispatchEvent(new Event("save"));
  };
  const lateNow = () => {
    waiting.splice(0).forEach(([, fails]) => fails?.());
    for (const [name] of texts(sent)) if (drafts.has(name)) drafts.get(name).late = true;
  };

  on("htmx:before:request", ({ detail: { ctx } }) => {
    if (ctx.sourceElement !== form) return;
    ctx.sent = texts(sent);
    ctx.request.body = new URLSearchParams(sent);
    ctx.request.keepalive = sent.length < 60000; // what a page may still send while it is left
  });
  // A poll that was answered before what has been stored since comes too late: the
  // next one is asked for soon.
  on("htmx:before:swap", (e) => {
    const { ctx } = e.detail, polled = ctx.sourceElement?.id === "sync-status" && /id="week-version"[^>]* value="(\d+)"/.exec(ctx.text);
    if (polled && +polled[1] < +version()) e.preventDefault();
  });
  on("htmx:before:swap", ({ detail: { ctx } }) => {
    if (!ctx.sent || !(ctx.response.status < 400 || ctx.response.status === 422)) return;
    ctx.answered = true;
    for (const [name, text] of ctx.sent) {
      if (drafts.get(name)?.text === text) drafts.delete(name);
      named(name)?.parentElement.removeAttribute("hx-morph-skip");
    }
  });
  on("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.answered) {
      for (const [name, text] of ctx.sent) {
        // A text that was refused stays a draft, so that it outlives the page.
        if (drafts.has(name)) drafts.get(name).base = version();
        else if (named(name)?.ariaInvalid) drafts.set(name, { text, base: version() });
        else named(name)?.parentElement.classList.add("saved");
      }
      sent = undefined;
      pause = 0;
    } else if (ctx.sent && ctx.response.status < 500 && ![401, 408, 429].includes(ctx.response.status)) {
      // It would be refused again as it is: it waits for somebody to change it.
      lateNow();
      for (const [name] of ctx.sent) if (drafts.has(name)) drafts.get(name).done = false;
      sent = undefined;
    }
    keep();
    show();
  });
  on("htmx:error", ({ detail: { ctx } }) => {
    if (ctx?.sent) say("Not saved: the server cannot be reached. What you typed is still here and will be sent again.");
  });
  on("htmx:finally:request", ({ detail: { ctx } }) => {
    if (!ctx.sent) return;
    busy = false;
    if (!sent) return save();
    lateNow();
    keep();
    show();
    timer = setTimeout(save, pause = Math.min(1000 + 1.6 * pause, 15000));
  });
  addEventListener("online", save);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const answer = e.submitter, i = answer?.name && named(answer.name);
    if (i) commit([[i, answer.value]]);
  });

  for (const [name, d] of drafts) {
    if (named(name)?.defaultValue === d.text) drafts.delete(name);
    else d.late = true;
  }
  if ([...drafts.values()].some((d) => !d.done)) {
    remind("What you typed earlier is back in its cells and not saved yet. Press Enter in one of them to save.", "bad");
  }
  show();
  setTimeout(save); // after htmx has found the form

  furrow.grid = {
    form, cells, named, draft, commit, back, show,
    is: (e) => e?.name?.startsWith("p.") && e.tagName === "INPUT",
    // loose tells whether a cell has a text that nobody sends.
    loose: (i) => drafts.has(i.name) && !drafts.get(i.name).done,
    commitAll: () => {
      for (const d of drafts.values()) d.done = true;
      save();
    },
  };
  // saved does something once all that was committed is stored, or something
  // else if it cannot be now.
  furrow.saved = (does, fails) => {
    waiting.push([does, fails]);
    save();
  };
})();
