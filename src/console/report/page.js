"use strict";
// The page put together: one slider moves every picture.

(function () {
  const data = JSON.parse($("data").textContent), slider = $("moment"), last = data.moments.length - 1;
  const now = () => Number(slider.value);
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");

  $("task").textContent = data.task;
  for (const [name, value] of data.facts) { make($("facts"), "dt", {}, name); make($("facts"), "dd", {}, value); }
  for (const line of data.notes) make($("notes"), "li", {}, line);
  $("notes").hidden = !data.notes.length;
  $("tested").textContent = data.test ?? "The run is not at its end: answers to the test part have not been counted.";

  slider.max = last;
  slider.value = last;
  slider.disabled = last === 0;
  const mark = drawCurves(data, () => data.moments[now()]);
  const shows = [drawExamples(data, now), drawGradients(data, now), drawEmbedding(data, now)];
  drawAsking(data);

  function show() {
    const step = data.moments[now()], told = step === 0 ? "before the first update" : `after update ${whole(step)}`;
    const epoch = (step / data.per_epoch).toFixed(2);
    $("when").textContent = `${told} of ${whole(data.steps)}, epoch ${epoch} (${now() + 1} of ${last + 1})`;
    slider.setAttribute("aria-valuetext", told);
    mark(step);
    shows.forEach((one) => one());
  }

  let timer = null;
  function play(on) {
    clearInterval(timer);
    timer = on ? setInterval(next, still.matches ? 1500 : 700) : null;
    $("play").setAttribute("aria-pressed", String(on));
    $("play").replaceChildren();
    make($("play"), "span", { "aria-hidden": "true" }, on ? "❚❚" : "▶");
    $("play").append(on ? " Pause" : " Play");
  }
  function next() {
    slider.value = now() + 1;
    show();
    if (now() === last) play(false);
  }
  $("play").disabled = last === 0;
  $("play").addEventListener("click", () => {
    if (timer === null && now() === last) { slider.value = 0; show(); }
    play(timer === null);
  });
  slider.addEventListener("input", () => { play(false); show(); });
  show();
})();
