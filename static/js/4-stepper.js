// Where fingers type, a bar at the bottom sets the focused cell by taps. It
// stays above the keyboard on the screen.
(() => {
  const { $, grid } = furrow;
  const bar = $("#stepper"), view = globalThis.visualViewport;
  if (!grid || !view) return;
  let cell;
  const show = (input) => {
    cell = input;
    bar.hidden = !cell;
  };
  // minutes reads what a cell shows: 1:30, 1.5 or nothing. Other text is not a
  // number to step from.
  const minutes = (text) => {
    const [, hours, rest] = /^(\d*):(\d\d)$/.exec(text) ?? [];
    return rest ? hours * 60 + +rest : Math.round(text.replace(",", ".") * 60);
  };
  const text = (n) => {
    if (!n) return "";
    return "decimal" in bar.dataset ? String(+(n / 60).toFixed(2)) : Math.floor(n / 60) + ":" + String(n % 60).padStart(2, "0");
  };
  grid.form.addEventListener("focusin", (e) => show(grid.is(e.target) && !e.target.readOnly ? e.target : null));
  for (const part of [grid.form, bar]) {
    part.addEventListener("focusout", ({ relatedTarget: to }) => bar.contains(to) || to === cell || show(null));
  }
  bar.addEventListener("pointerdown", (e) => e.preventDefault()); // the cell keeps the focus, and the keyboard stays
  bar.addEventListener("click", (e) => {
    const { value, dataset } = e.target, next = minutes(cell.value.trim()) + +dataset.by;
    if (value) grid.commit([[cell, value]]);
    else if (next === next) grid.commit([[cell, text(Math.min(Math.max(next, 0), 24 * 60))]]);
  });
  view.addEventListener("resize", () => {
    document.documentElement.style.setProperty("--keyboard", Math.max(0, innerHeight - view.height - view.offsetTop) + "px");
    cell?.scrollIntoView({ block: "nearest" });
  });
})();
