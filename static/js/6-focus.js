// Whoever pressed something that went away with its answer, as a toast or a row
// does, or was the last undo, goes on in the cell that was left. Fingers go on
// without: a cell would raise their keyboard.
(() => {
  const { on, grid } = furrow;
  if (!grid || matchMedia("(pointer: coarse)").matches) return;
  let last;
  on("focusin", (e) => (last = e.target));
  on("pointerdown", () => (last = undefined));
  // So does who has changed the week by a form that loads it again.
  on("submit", (e) => {
    if (!e.defaultPrevented && e.submitter?.formAction.includes("/weeks/")) sessionStorage.setItem("focus", grid.left()?.name ?? "");
  });
  on("htmx:after:swap", () => {
    if (!last || (last.checkVisibility() && !last.disabled)) return;
    last = undefined;
    grid.go(grid.left());
  });
})();
