// A weekend with nothing in it is folded by the style sheet. It opens when the
// focus comes there, and by its button, which the browser remembers.
(() => {
  const { $, on, grid } = furrow;
  if (!grid) return;
  const { form } = grid;
  const folds = (td) => td && $("#week-head").rows[0].cells[td.cellIndex].matches(".fold");
  const open = (is) => {
    form.toggleAttribute("data-weekend", is);
    $(".unfold")?.setAttribute("aria-expanded", is);
  };
  // The server folds also where somebody is, or has a text that is not stored, or
  // only a note.
  const dress = () => {
    const used = (i) => i.value || i === document.activeElement || i.parentElement.querySelector(".d");
    open(form.hasAttribute("data-weekend") || grid.cells().some((i) => folds(i.parentElement) && used(i)));
  };
  form.addEventListener("focusin", (e) => {
    const td = grid.is(e.target) && e.target.parentElement;
    if (folds(td)) open(true);
  });
  form.addEventListener("click", (e) => {
    if (!e.target.closest(".unfold")) return;
    open(!form.hasAttribute("data-weekend"));
    localStorage.setItem("weekend", form.hasAttribute("data-weekend") ? "open" : "");
  });
  on("htmx:after:swap", dress);
  if (localStorage.getItem("weekend")) open(true);
  dress();
})();
