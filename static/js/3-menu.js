// A menu closes when somebody is done with it.
(() => {
  const { on } = furrow;
  const close = (but) => document.querySelectorAll("details.menu[open]").forEach((menu) => menu !== but && (menu.open = false));
  on("click", (e) => close(e.target.closest("details.menu")));
  on("keydown", (e) => {
    const menu = e.key === "Escape" && e.target.closest("details.menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
})();
