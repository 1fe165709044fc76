// Keys that do something wherever nobody types: single letters, unless they are
// switched off, and a few with Ctrl.
(() => {
  const { $, on, say, grid } = furrow;
  const letters = document.body.dataset.letters !== "off", saved = furrow.saved ?? ((does) => does());
  const raise = (name) => document.dispatchEvent(new CustomEvent("furrow:" + name, { cancelable: true }));

  // Undo and redo go on from one to the next: each waits for the answer to the
  // one before.
  let steps = [];
  const step = () => {
    const form = $("#" + steps[0]);
    if (form?.querySelector("button").disabled) {
      steps = [];
      say(form.id === "redo-form" ? "There is nothing to redo." : "There is nothing to undo.", "note");
    } else if (form) saved(() => form.requestSubmit(), () => (steps = []));
  };
  const walk = (id) => $("#" + id) && steps.push(id) === 1 && step();
  on("htmx:finally:request", ({ detail: { ctx } }) => {
    if (steps[0] && ctx.sourceElement.id === steps[0] && steps.shift() && steps[0]) setTimeout(step);
  });

  const follow = (selector) => {
    const link = $(selector);
    if (link) saved(() => link.click());
  };
  // In another week, the cell of the same place has the focus.
  const turn = (selector) => {
    sessionStorage.setItem("focus", grid?.focused()?.name ?? "");
    follow(selector);
  };
  const withCell = (does) => {
    const i = grid?.focused();
    if (i) does(i);
    else if (grid) say("Go to a cell first: Tab leads into the grid.", "note");
  };
  const note = () => withCell((i) => {
    const [, row, day] = i.name.split(".");
    saved(() => furrow.panel($("#week-form").action + "/" + row + "/" + day, "textarea"));
  });
  const timer = () => withCell((i) => {
    const button = i.parentElement.querySelector("button[form=timers]");
    if (button) saved(() => button.click());
    else say("Timers start and stop in cells of today that Harvest knows.", "note");
  });
  const keys = () => $("#keys")?.showModal();
  const does = {
    n: note, s: timer, u: () => walk("undo-form"), "?": keys,
    a: () => $("#add-row :is(select, input:not([type=hidden]))")?.focus(),
    p: () => follow("#push"), t: () => turn("a[href='/week']"), "[": () => turn("a[rel=prev]"), "]": () => turn("a[rel=next]"),
    q: () => raise("quick"), "/": () => raise("quick"),
  };

  on("keydown", (e) => {
    // Whatever Caps Lock says: it turns the letters of Shift around as well.
    const ctrl = e.ctrlKey || e.metaKey, letter = e.key.toLowerCase(), key = e.shiftKey ? e.key : letter;
    if (e.defaultPrevented || e.isComposing || e.target.closest("dialog, select, textarea") || grid?.editing()) return;
    const typing = e.target.matches("input") && !grid?.is(e.target);
    const third = e.getModifierState("AltGraph") || (e.altKey && !/[a-z]/i.test(key)); // "[" on many keyboards
    if (ctrl && !third) {
      if (key === "k") raise("palette");
      else if (letter === "z" && !typing) walk(e.shiftKey ? "redo-form" : "undo-form");
      else if (key === "y" && !typing) walk("redo-form");
      else return;
    } else if (e.key === "F2" && e.shiftKey && grid?.focused()) note();
    else if (letters && !typing && (third || !e.altKey) && Object.hasOwn(does, key)) does[key]();
    else return;
    e.preventDefault();
  });
  on("click", (e) => {
    if (!e.target.closest("a[href='#keys']")) return;
    e.preventDefault();
    keys();
  });
})();
