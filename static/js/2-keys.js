// Moving through the grid, and editing in it. A cell is moved to first, with all
// of its text selected; a digit, Enter, F2 or a second click begins to edit.
(() => {
  const { $, on, say, grid } = furrow;
  if (!grid) return;
  const { form, cells, named, is } = grid;
  const table = () => $("#week-grid");
  // edit is the cell that is edited. The arrows move the caret in it, unless the
  // text was begun by typing.
  let edit, caret, touch, held, swapping, current = "";

  const why = (i) => {
    const day = table().tHead.rows[0].cells[i.parentElement.cellIndex];
    const said = i.parentElement.querySelector("a.d")?.title || day.querySelector(".s-locked")?.title || "Harvest takes no changes there.";
    say("This cell is locked. " + said, "note");
  };
  const begin = (i, withCaret) => {
    if (i.readOnly) return why(i);
    edit = i;
    caret = withCaret;
    form.dataset.editing = "";
  };
  const end = () => {
    const i = edit;
    edit = undefined;
    delete form.dataset.editing;
    return i;
  };
  const done = () => {
    const i = end();
    if (i) grid.commit([[i, i.value]]);
  };

  // The place of a cell among all: seven in a row.
  const at = (i, key, ctrl) => {
    const all = cells(), n = all.indexOf(i), day = n % 7;
    switch (key) {
      case "ArrowUp": return all[n - 7];
      case "ArrowDown": return all[n + 7];
      case "ArrowLeft": return day ? all[n - 1] : undefined;
      case "ArrowRight": return day < 6 ? all[n + 1] : undefined;
      case "Home": return ctrl ? all[0] : all[n - day];
      case "End": return ctrl ? all.at(-1) : all[n - day + 6];
    }
  };
  // What can be pressed in the head of a row is left of its first day, and what
  // can be in the heads of the days above their first row.
  const pressable = (e) => [...e.querySelectorAll("a, button")].filter((e) => e.checkVisibility());
  const edge = (i, key) => {
    if (key === "ArrowLeft") return pressable(i.closest("tr").cells[0]).at(-1);
    if (key === "ArrowUp") return pressable(table().tHead.rows[0].cells[i.parentElement.cellIndex])[0];
  };
  const inHeads = (e) => {
    const i = e.target, row = i.closest("tbody tr"), all = cells(), mine = pressable(i.closest("tbody th, thead")), n = mine.indexOf(i);
    const first = row ? all.indexOf(row.querySelector("td > input")) : i.closest("th").cellIndex - 8;
    const next = {
      ArrowRight: mine[n + 1] ?? (row && all[first]), ArrowLeft: mine[n - 1],
      ArrowDown: all[first + 7], ArrowUp: row && all[first - 7],
    }[e.key];
    if (!/^Arrow/.test(e.key)) return;
    e.preventDefault();
    next?.focus();
  };
  const go = (i) => {
    if (!i) return document.activeElement.select?.();
    if (is(i)) $("#v" + (i.parentElement.cellIndex - 1)).checked = true; // narrow screens show one day
    i.focus();
    i.scrollIntoView({ block: "nearest", inline: "nearest" }); // what the focus has opened may lie over it
  };

  const editing = (e) => {
    const { key } = e, i = edit;
    if (key === "Escape") {
      end();
      grid.back(i);
      i.select();
    } else if (key === "Enter" || key === "Tab") {
      done();
      go(at(i, key === "Tab" ? (e.shiftKey ? "ArrowLeft" : "ArrowRight") : (e.shiftKey ? "ArrowUp" : "ArrowDown")));
    } else if (key.startsWith("Arrow") && !e.shiftKey && !e.ctrlKey && !(caret && /Left|Right/.test(key))) {
      done();
      go(at(i, key));
    } else return;
    e.preventDefault();
  };
  const moving = (e) => {
    const { key } = e, i = e.target, ctrl = e.ctrlKey || e.metaKey;
    if (/^Arrow|^Home$|^End$/.test(key) && !e.shiftKey && !(ctrl && key.startsWith("Arrow"))) {
      go(at(i, key, ctrl) ?? edge(i, key));
    } else if (key === "Enter" && !ctrl && grid.loose(i) && !i.ariaInvalid) {
      grid.commitAll();
    } else if ((key === "Enter" || key === "F2") && !ctrl && !e.shiftKey) {
      begin(i, true);
      i.setSelectionRange(i.value.length, i.value.length);
    } else if (key === "Escape") {
      if (grid.loose(i)) grid.back(i);
      i.select();
    } else if (i.readOnly && /^[\d.,:-]$/.test(key)) {
      why(i);
    } else return;
    e.preventDefault();
  };
  form.addEventListener("keydown", (e) => {
    const i = e.target;
    if (e.isComposing || e.altKey || e.defaultPrevented) return;
    if (is(i)) edit ? editing(e) : moving(e);
    else if (i.closest("tbody tr:not(.client) th, thead")) inHeads(e);
  });
  // What is not the beginning of a duration is no text, but perhaps a key that
  // does something. A minus is one: without it, another number would be stored.
  form.addEventListener("beforeinput", (e) => {
    if (!is(e.target) || edit) return;
    if (/^[\d.,:-]/.test((e.data ?? "").normalize("NFKC"))) begin(e.target);
    else if (!e.isComposing) e.preventDefault();
  });
  form.addEventListener("compositionstart", (e) => is(e.target) && (edit || begin(e.target)));
  form.addEventListener("input", (e) => is(e.target) && grid.draft(e.target, e.target.value));

  form.addEventListener("pointerdown", (e) => touch = e.pointerType !== "mouse");
  form.addEventListener("mousedown", (e) => {
    const i = e.target;
    if (!is(i) || e.button || e.shiftKey || edit === i) return;
    const again = i === document.activeElement;
    if (touch || !again) {
      e.preventDefault(); // else the caret is put where it was clicked
      i.focus();
    }
    if (touch || again) begin(i, true);
  });
  form.addEventListener("focusin", (e) => {
    const i = e.target;
    if (!is(i) || swapping) return;
    lead(i.name);
    if (edit !== i) i.select();
  });
  // Another window is no other place: what is typed goes on afterwards.
  form.addEventListener("focusout", () => edit && !swapping && document.activeElement !== edit && done());

  // Tab finds one cell: the one that was left, or else today's first. The answers
  // to its question have its name, and follow it.
  const lead = (name) => {
    for (const e of form.querySelectorAll("[name='" + current + "']")) e.tabIndex = -1;
    current = name;
    for (const e of form.querySelectorAll("[name='" + current + "']")) e.tabIndex = 0;
  };
  const dress = () => {
    table().setAttribute("role", "grid");
    table().ariaMultiSelectable = "true";
    for (const e of table().querySelectorAll("input, a, button")) {
      const index = e.name && e.name === current ? 0 : -1;
      if (e.tabIndex !== index) e.tabIndex = index;
      if (is(e)) e.inputMode = "decimal";
    }
  };
  // Focus, and what is edited, stay where they are when the page changes around
  // them; if the row is gone, the nearest cell has the focus.
  on("htmx:before:swap", () => {
    const i = document.activeElement;
    held = is(i) ? { name: i.name, n: cells().indexOf(i), from: i.selectionStart, to: i.selectionEnd } : undefined;
    swapping = true;
  });
  on("htmx:after:swap", () => {
    if (!form.isConnected) return;
    const all = cells();
    if (!named(current)) current = (all[held?.n] ?? all[all.length - 7 + (held?.n ?? 0) % 7])?.name ?? "";
    dress();
    const i = held && named(current), moved = held && document.activeElement !== i;
    if (edit && !edit.isConnected) {
      edit = named(edit.name);
      if (!edit) end();
    }
    if (moved) i?.focus({ preventScroll: true });
    if (i && !edit) i.select();
    else if (i && moved) i.setSelectionRange(held.from, held.to);
    swapping = false;
  });
  on("htmx:finally:swap", () => swapping = false);

  current = cells()[$("[name=shown-day]:checked").value]?.name ?? "";
  dress();
  // Who steps through the weeks stays in the same place, also where the address
  // leads to another part of the page, which takes the focus away while it loads.
  const stay = sessionStorage.getItem("focus"), resume = () => document.activeElement === document.body && go(named(stay) ?? named(current));
  sessionStorage.removeItem("focus");
  if (stay) {
    resume();
    addEventListener("load", resume);
  }
  // editing is the cell that is edited; focused is the one that is not; left is
  // the one that Tab finds.
  Object.assign(grid, { at, go, dress, left: () => named(current), editing: () => edit, focused: () => (!edit && is(document.activeElement) ? document.activeElement : undefined) });
})();
