// The review of a push tells what the ticked lines come to.
(() => {
  const push = furrow.$("#push-form"), { $ } = furrow;
  push?.addEventListener("change", () => {
    const ticked = [...push.querySelectorAll("[name=line]:checked")], total = $("#push-total");
    const sum = ticked.reduce((n, i) => n + +i.dataset.minutes, 0), m = Math.abs(sum);
    const clock = total.textContent.includes(":");
    total.textContent = (sum < 0 ? "-" : "") + (clock ? (m / 60 | 0) + ":" + String(m % 60).padStart(2, "0") : +(m / 60).toFixed(2));
    $("#push-count").textContent = ticked.length + (ticked.length === 1 ? " line" : " lines");
    $("#push-send").disabled = !ticked.length;
  });
})();
