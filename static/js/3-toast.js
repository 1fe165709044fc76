// The toast goes after ten seconds unless somebody points at it or is in it. A
// form that takes something back counts once, however often it is sent.
(() => {
  const { $, on } = furrow;
  const toast = $("#toast");
  if (!toast) return;
  let since;
  const stays = () => toast.matches(":hover, :focus-within");
  on("htmx:after:swap", () => {
    if (toast.firstElementChild !== since) [since, toast.shown] = [toast.firstElementChild, Date.now()];
  });
  for (const type of ["pointerleave", "focusout"]) toast.addEventListener(type, () => (toast.shown = Date.now()));
  setInterval(() => {
    if (toast.firstElementChild && !stays() && Date.now() - toast.shown > 10000) toast.replaceChildren();
  }, 500);
})();
