// What is planned in a cell moves by Alt and arrows or by a drag; rows and
// clients change their order likewise. The server decides what is possible, and
// the page shows what came of it.
(() => {
  const { $, on, say, grid } = furrow;
  if (!grid) return;
  const { form, named } = grid;
  const week = form.getAttribute("action").replace(/\/cells$/, ""), first = Date.parse(week.slice(-10));
  const dateOf = (day) => new Date(first + day * 864e5).toISOString().slice(0, 10);
  const live = document.createElement("p");
  live.className = "sr";
  live.setAttribute("role", "status");
  form.after(live);

  // What can be moved, as {kind, key, day, el}: a cell, a row or a client.
  const cellAt = (el) => {
    const td = el?.closest?.("#week-grid tbody td"), input = td?.querySelector(":scope > input");
    const [, key, day] = /^p\.(.+)\.(\d)$/.exec(input?.name) ?? [];
    return key && { kind: "cell", key, day: +day, el: td, input };
  };
  const headAt = (el) => {
    const tr = el?.closest?.("tbody th")?.parentElement, [, kind, key] = /^([rc])-(.+)/.exec(tr?.id) ?? [];
    return key && { kind: kind === "r" ? "row" : "client", key, el: kind === "r" ? tr : tr.parentElement };
  };
  const planned = (cell) => cell && !cell.input.readOnly && cell.input.defaultValue;
  const words = (nodes) => [...nodes].map((node) => node.textContent.trim()).join(" ");
  const nameOf = ({ kind, key }) => words(kind === "client" ? [$(`#c-${key} th`).firstChild] : $("#n-" + key).children);
  const dayName = (day) => $("#b" + day).textContent.split(",")[0];

  // Acts wait for what was typed, and follow each other, each on what the one
  // before has left.
  let acts = Promise.resolve();
  const act = (does) => furrow.saved(() => (acts = acts.then(does, does)));
  // post tells whether it is done.
  const post = async (path, values) => {
    let answer;
    await htmx.ajax("POST", week + path, {
      target: "#notice", swap: "innerHTML", values: { ...values, mutation_id: furrow.mutation(), version: $("#week-version").value },
      fetch: async (...request) => (answer = await fetch(...request)),
    });
    if (!answer) say("The server did not answer, so this may not be done. Look at the week again when it is back.");
    return answer?.ok;
  };
  const move = async (from, how, key, day) => {
    if (!planned(from)) return;
    const done = await post(`/cells/${from.key}/${from.day}/move`, { how, to: dateOf(day), to_row: key });
    grid.go((done && named(`p.${key}.${day}`)) || named(from.input.name));
  };
  const order = async (what, values) => {
    await post("/rows/order", { [what.kind]: what.key, ...values });
    $(`#${what.kind[0]}-${what.key} th a`)?.focus();
  };

  addEventListener("keydown", (e) => {
    const cell = cellAt(e.target), head = headAt(e.target), [, way] = /^Arrow(Left|Right|Up|Down)$/.exec(e.key) ?? [];
    const sideways = way === "Left" || way === "Right", alt = e.altKey && !e.ctrlKey && !e.metaKey;
    if (drag) return;
    if (alt && cell && sideways) {
      if (grid.editing()) [e.target.blur(), e.target.focus()]; // which takes the text
      act(async () => {
        const here = cellAt(document.activeElement);
        if (here) await move(here, e.shiftKey ? "copy" : "move", here.key, here.day + (way === "Left" ? -1 : 1));
      });
    } else if (alt && head && way && !sideways) {
      const client = head.kind === "row" && e.shiftKey && { kind: "client", key: head.el.parentElement.id.slice(2) };
      act(() => order(client || head, { by: way.toLowerCase() }));
    } else if (alt && cell && e.code === "KeyS") furrow.panel(`${week}/cells/${cell.key}/${cell.day}`, "#move fieldset :enabled");
    else if (head?.kind === "row" && e.key === "Delete") {
      const empty = head.el.querySelector(".x");
      if (empty) empty.click();
      else furrow.panel(`${week}/rows/${head.key}`, "[name=confirm]");
    } else return;
    e.preventDefault();
    e.stopPropagation();
  }, true);

  // A drag begins at a handle, or by a long press of a finger.
  const grip = document.createElement("span"), ghost = document.createElement("div");
  grip.className = "grip";
  grip.title = "Drag to move; with Ctrl to copy, with Shift to choose";
  ghost.className = "ghost";
  ghost.setAttribute("aria-hidden", "true");
  const offer = (e) => {
    const cell = cellAt(e.target);
    if (e.pointerType === "touch" || drag || e.target === grip) return;
    if (planned(cell)) cell.el.append(grip);
    else grip.remove();
  };
  form.addEventListener("pointerover", offer);
  form.addEventListener("focusin", offer);

  // finger: a finger drags, or did until it goes up.
  let press, drag, timer, finger;
  const near = (e) => Math.hypot(e.clientX - press.x, e.clientY - press.y) < 8;
  const begin = () => {
    [drag, press] = [press, null];
    ghost.textContent = drag.says = drag.kind === "cell" ? drag.input.defaultValue : nameOf(drag);
    document.body.append(ghost);
    document.documentElement.classList.add("dragging");
    drag.el.classList.add("lifted");
    finger = drag.touch;
    follow();
  };
  const targetAt = (x, y) => {
    const el = document.elementFromPoint(x, y);
    if (drag.kind === "cell") {
      const day = el?.closest("#strip label")?.control?.value, cell = day ? { key: drag.key, day: +day, el: el.closest("label") } : cellAt(el);
      if (!cell || cell.input?.readOnly || (cell.key === drag.key && cell.day === drag.day)) return;
      return { ...cell, says: nameOf({ key: cell.key }) + ", " + dayName(cell.day) };
    }
    const kind = drag.kind === "row" ? "tr[id^=r-]" : "tbody[id]", at = el?.closest("#week-grid " + kind);
    if (!at || at.parentElement !== drag.el.parentElement) return;
    const box = at.getBoundingClientRect(), after = y > box.y + box.height / 2;
    let next = after ? at.nextElementSibling : at;
    if (!next?.matches(kind)) next = null;
    return { el: at, after, before: next ? next.id.slice(2) : "", says: (after ? "after " : "before ") + nameOf({ kind: drag.kind, key: at.id.slice(2) }) };
  };
  const unmark = () => document.querySelectorAll(".drop, .drop-after").forEach((el) => el.classList.remove("drop", "drop-after"));
  // At the edges the page goes on, as long as the pointer is there.
  const follow = () => {
    if (!drag) return;
    const { x, y } = drag, box = form.getBoundingClientRect(), edge = 56;
    const dx = (x > Math.min(box.right, innerWidth) - edge) - (x < Math.max(box.left, 0) + edge), dy = (y > innerHeight - edge) - (y < edge);
    if (dy) scrollBy(0, dy * 12);
    if (dx || dy) form.scrollBy(dx * 12, dy * 12);
    ghost.style.translate = `${x + 12}px ${y + 8}px`;
    drag.target = targetAt(x, y);
    unmark();
    drag.target?.el.classList.add(drag.target.after ? "drop-after" : "drop");
    const says = drag.target?.says ?? drag.says + " is lifted";
    if (live.textContent !== says) live.textContent = says;
    requestAnimationFrame(follow);
  };
  const end = () => {
    clearTimeout(timer);
    drag?.el.classList.remove("lifted");
    press = drag = null;
    live.textContent = "";
    ghost.remove();
    grip.remove();
    unmark();
    document.documentElement.classList.remove("dragging");
  };

  // The choice after a drop by touch, or with Shift.
  const ask = (x, y) => new Promise((go) => {
    const menu = document.createElement("div");
    menu.className = "choices";
    menu.popover = "auto";
    menu.setAttribute("role", "group");
    menu.ariaLabel = "Move, copy or split";
    for (const [how, label] of [["move", "Move"], ["copy", "Copy"], ["split", "Split half"]])
      menu.append(Object.assign(document.createElement("button"), { type: "button", textContent: label, onclick: () => { go(how); menu.remove(); } }));
    menu.addEventListener("toggle", (e) => {
      if (e.newState === "open") return;
      menu.remove();
      go();
    });
    document.body.append(menu);
    menu.showPopover();
    menu.style.left = Math.max(8, Math.min(x, innerWidth - menu.offsetWidth - 8)) + "px";
    menu.style.top = Math.max(8, Math.min(y, innerHeight - menu.offsetHeight - 8)) + "px";
    menu.firstElementChild.focus();
  });
  const drop = async (e) => {
    const from = drag, to = drag.target, { x, y } = drag;
    end();
    if (!to) return;
    if (from.kind !== "cell") return act(() => order(from, { before: to.before }));
    const how = from.touch || e.shiftKey ? await ask(x, y) : e.ctrlKey || e.altKey || e.metaKey ? "copy" : "move";
    if (how) act(() => move(from, how, to.key, to.day));
  };

  form.addEventListener("pointerdown", (e) => {
    if (e.button || drag) return;
    const touch = e.pointerType === "touch", handle = e.target.closest("a.r"), cell = cellAt(e.target);
    const what = handle ? headAt(handle) : planned(cell) && (touch || e.target === grip) ? cell : null;
    if (!what) return;
    press = { ...what, touch, x: e.clientX, y: e.clientY, id: e.pointerId };
    if (e.target === grip) e.preventDefault();
    if (touch && !handle) timer = setTimeout(begin, 350);
  });
  on("pointermove", (e) => {
    if (press?.id === e.pointerId && !near(e)) {
      if (press.touch && press.kind === "cell") end(); // a scroll
      else begin();
    }
    if (drag?.id === e.pointerId) [drag.x, drag.y] = [e.clientX, e.clientY];
  });
  on("pointerup", (e) => {
    if (drag?.id !== e.pointerId) return end();
    drag.target = targetAt(e.clientX, e.clientY);
    // What a drag ends on is not clicked.
    const stop = (e) => { e.preventDefault(); e.stopPropagation(); };
    addEventListener("click", stop, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", stop, true));
    drop(e);
  });
  on("pointercancel", end);
  addEventListener("keydown", (e) => {
    if (!drag || e.key !== "Escape") return;
    e.preventDefault();
    e.stopPropagation();
    end();
  }, true);
  // A finger that drags does not scroll, select or open a menu.
  const hold = (e) => finger && e.cancelable && e.preventDefault();
  form.addEventListener("touchstart", () => finger = false, { passive: true });
  form.addEventListener("touchmove", hold, { passive: false });
  form.addEventListener("touchend", hold, { passive: false });
  form.addEventListener("contextmenu", hold);
  form.addEventListener("dragstart", (e) => e.target.closest?.("a.r") && e.preventDefault());
})();
