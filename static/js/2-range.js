// Several cells at once: select, copy, cut, paste, fill, clear.
(() => {
  const { on, say, grid } = furrow;
  if (!grid) return;
  const { form, cells, named, is } = grid;
  // from and to are the names of two corners; without them the focused cell is
  // all that is selected.
  let from, to, extending;
  const place = (name) => {
    const n = cells().findIndex((i) => i.name === name);
    return { n, row: Math.floor(n / 7), day: n % 7 };
  };
  // block is what is selected, as rows of cells.
  const block = () => {
    const all = cells(), i = grid.focused();
    const a = place(from ?? i?.name), b = place(to ?? i?.name);
    if (a.n < 0 || b.n < 0) return [];
    const [first, last] = [Math.min(a.row, b.row), Math.max(a.row, b.row)], [left, right] = [Math.min(a.day, b.day), Math.max(a.day, b.day)];
    return Array.from({ length: last - first + 1 }, (_, r) => all.slice((first + r) * 7 + left, (first + r) * 7 + right + 1));
  };
  const mark = () => {
    const chosen = new Set(from ? block().flat() : []);
    for (const i of cells()) {
      if (chosen.has(i)) i.parentElement.ariaSelected = "true";
      else i.parentElement.removeAttribute("aria-selected");
    }
  };
  const select = (a, b) => {
    from = a?.name;
    to = b?.name;
    mark();
  };
  const extend = (i) => {
    if (!i) return;
    extending = true;
    select(named(from) ?? document.activeElement, i);
    grid.go(i);
    extending = false;
  };

  // commit puts texts into cells that take them, and says what did not fit.
  const commit = (pairs, left = "") => {
    const open = pairs.filter(([i]) => !i.readOnly), locked = pairs.length - open.length;
    if (locked) left += (left && " ") + (locked === 1 ? "A locked cell stayed as it is." : locked + " locked cells stayed as they are.");
    if (open.length) grid.commit(open);
    if (left) furrow.saved(() => say(left, "note"));
  };
  const clear = () => commit(block().flat().filter((i) => i.value || i.readOnly).map((i) => [i, ""]));
  // fill copies the first row down, or the first column of a single row to the
  // right; a single cell takes what is above it.
  const fill = () => {
    const rows = block();
    if (rows.length === 1 && rows[0].length === 1) {
      const above = grid.at(rows[0][0], "ArrowUp");
      if (above) commit([[rows[0][0], above.value]]);
    } else if (rows.length === 1) commit(rows[0].slice(1).map((i) => [i, rows[0][0].value]));
    else commit(rows.slice(1).flatMap((row) => row.map((i, n) => [i, rows[0][n].value])));
  };

  // A block as spreadsheets write it: rows in lines, cells between tabs, and
  // quoted if they hold either.
  const read = (text) => {
    const rows = [[]];
    for (const [, quoted, plain, after] of text.replace(/\r\n?/g, "\n").replace(/\n$/, "").matchAll(/(?:"((?:[^"]|"")*)"|([^\t\n]*))(\t|\n|$)/g)) {
      rows.at(-1).push((quoted?.replaceAll('""', '"') ?? plain).trim());
      if (!after) break;
      if (after === "\n") rows.push([]);
    }
    return rows;
  };
  const counted = (n, thing) => n + " " + thing + (n === 1 ? "" : "s");
  const paste = (text) => {
    const rows = read(text), target = block(), all = cells();
    if (!text || !target.length) return;
    if (rows.length === 1 && rows[0].length === 1) return commit(target.flat().map((i) => [i, rows[0][0]]));
    const { row, day } = place(target[0][0].name), wide = Math.max(...rows.map((r) => r.length));
    const high = Math.min(rows.length, all.length / 7 - row), fits = Math.min(wide, 7 - day), left = [];
    const cell = (r, d) => all[(row + r) * 7 + day + d];
    if (high < rows.length) left.push(counted(rows.length - high, "row"));
    if (fits < wide) left.push(counted(wide - fits, "column"));
    select(cell(0, 0), cell(high - 1, fits - 1));
    commit(
      rows.slice(0, high).flatMap((texts, r) => texts.slice(0, fits).map((text, d) => [cell(r, d), text])),
      left.length ? "The week has no place for " + left.join(" and ") + " of the block. The rest is pasted." : "",
    );
  };
  const copy = (e) => {
    const rows = block().map((row) => row.map((i) => i.value)), escape = (s) => s.replace(/[&<>]/g, (c) => "&#" + c.charCodeAt() + ";");
    e.clipboardData.setData("text/plain", rows.map((r) => r.join("\t")).join("\n"));
    e.clipboardData.setData("text/html", "<table>" + rows.map((r) => "<tr>" + r.map((s) => "<td>" + escape(s) + "</td>").join("") + "</tr>").join("") + "</table>");
  };
  const clipboard = { copy, cut: (e) => { copy(e); clear(); }, paste: (e) => paste(e.clipboardData.getData("text/plain")) };
  for (const [type, does] of Object.entries(clipboard)) {
    on(type, (e) => {
      if (!grid.focused()) return;
      e.preventDefault();
      does(e);
    });
  }

  form.addEventListener("keydown", (e) => {
    const i = grid.focused(), ctrl = e.ctrlKey || e.metaKey;
    if (!i || e.defaultPrevented || e.altKey || e.isComposing) return;
    const { key } = e;
    if (e.shiftKey && /^Arrow|^Home$|^End$/.test(key)) {
      const next = grid.at(named(to) ?? i, key, ctrl);
      if (is(next)) extend(next);
    } else if (key === "Delete" || key === "Backspace") clear();
    else if (ctrl && !e.shiftKey && key === "a") select(cells()[0], cells().at(-1));
    else if (ctrl && !e.shiftKey && key === "d") fill();
    else return;
    e.preventDefault();
  });
  form.addEventListener("keydown", (e) => e.key === "Escape" && select());
  form.addEventListener("mousedown", (e) => {
    if (!is(e.target) || !e.shiftKey || e.button || !is(document.activeElement)) return;
    e.preventDefault();
    extend(e.target);
  });
  form.addEventListener("focusin", () => extending || !from || select());
  on("htmx:after:swap", () => {
    if (from && !(named(from) && named(to))) from = to = undefined;
    mark();
  });
  grid.selected = () => block().flat();
})();
