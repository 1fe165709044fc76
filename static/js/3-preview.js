// While somebody types, the figures show what it would come to. The server does
// the sums, and stores nothing.
(() => {
  const { $, on, grid } = furrow, preview = $("#preview");
  if (!preview || !grid) return;
  const typed = () => new URLSearchParams(grid.cells().filter((i) => i.value !== i.defaultValue).map((i) => [i.name, i.value])).toString();
  let shown = "", timer;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (shown !== (shown = typed())) preview.dispatchEvent(new Event("preview"));
    }, 150);
  };
  for (const type of ["input", "keyup", "click"]) grid.form.addEventListener(type, later);
  on("htmx:before:request", ({ detail: { ctx } }) => {
    if (ctx.sourceElement === preview) ctx.request.body = new URLSearchParams((ctx.typed = shown) + "&version=" + $("#week-version").value);
  });
  // An answer to what is not typed any more is late. One to what was stored has all sums right.
  on("htmx:before:swap", (e) => {
    const ctx = e.detail.ctx;
    if (ctx.sourceElement === preview && ctx.typed !== typed()) e.preventDefault();
  });
  on("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.sourceElement !== grid.form) return;
    shown = "";
    later();
  });
})();
