// What the pages do beyond plain forms and htmx. Everything works without it.
// The files of this folder are served as one, in order of their names; what they
// share is in furrow.
const furrow = {
  $: (selector) => document.querySelector(selector),
  on: (type, does) => document.addEventListener(type, does),
  // sentence is a paragraph for the message area, with a link if there is one to follow.
  sentence: (text, tone, link) => {
    const p = document.createElement("p");
    p.className = "flash " + tone;
    p.append(text);
    if (link) p.append(" ", Object.assign(document.createElement("a"), link));
    return p;
  },
  say: (text, tone = "bad", link) => furrow.$("#notice").replaceChildren(furrow.sentence(text, tone, link)),
  // mutation is a new id for a form that changes the plan.
  mutation: () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join(""),
  // loggedOut reports whether a request was led to the login instead of answered.
  loggedOut: ({ response: { raw } }) => raw.redirected && new URL(raw.url).pathname.startsWith("/login"),
};

(() => {
  const { on, say, loggedOut } = furrow;
  // What is put into a page does not rename it.
  on("htmx:after:swap", (e) => (e.detail.ctx.title = ""));
  // What a reader has opened stays open when a poll changes it.
  globalThis.htmx?.config.morphIgnore.push("open");
  // A hidden page does not poll.
  on("htmx:before:request", (e) => {
    if (e.detail.ctx.sourceElement.matches?.("[hx-trigger^=every]") && document.hidden) e.preventDefault();
  });
  on("htmx:before:response", (e) => {
    const ctx = e.detail.ctx;
    if (!loggedOut(ctx)) return;
    e.preventDefault();
    say("You are logged out. What you typed is still here and will be sent when you are back.", "bad", { href: ctx.response.raw.url, target: "_blank", textContent: "Log in in another tab" });
  });
  // What is said later lies over the page, instead of moving it; a note goes by
  // itself.
  const notice = furrow.$("#notice");
  let timer;
  const later = new MutationObserver(() => {
    clearTimeout(timer);
    notice.classList.add("over");
    if (!notice.querySelector(".bad")) timer = setTimeout(() => notice.replaceChildren(), 10000);
  });
  addEventListener("load", () => later.observe(notice, { childList: true }));
  // Filters that are not set stay out of the address.
  on("formdata", (e) => {
    if (e.target.method !== "get") return;
    for (const [name, value] of [...e.formData]) if (!value) e.formData.delete(name);
  });
})();
