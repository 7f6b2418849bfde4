"use strict";
// Maps of attention: a row is a position that looks, a column one that is looked at.

const FEW = 12; // so many columns leave room for numbers in the cells

// An empty map for every head of every block; returns how to fill them from look(block, head, row, column).
function attentionMaps(parent, blocks, heads, rows, columns) {
  const cell = columns.length > 20 ? 11 : columns.length > FEW ? 15 : 19;
  const left = 9 + 5.6 * Math.max(...rows.map((name) => name.length), 2);
  arrange(parent, left + columns.length * cell + 2, heads);
  parent.replaceChildren();
  const maps = [];
  for (let block = 0; block < blocks; block++) for (let head = 0; head < heads; head++) {
    const figure = make(parent, "figure");
    make(figure, "figcaption", {}, `block ${block}, head ${head}`);
    const names = { columnNames: columns, rowNames: rows };
    const options = { cell, left, top: headroom(columns, cell), label: "", numbers: columns.length <= FEW, ...names };
    maps.push({ block, head, ...grid(make(figure, "div"), rows.length, columns.length, options) });
  }
  return (look, signed) => maps.forEach(({ block, head, svg, fill }) => {
    let most = [0, 0];
    rows.forEach((row, r) => columns.forEach((column, c) => {
      const value = look(block, head, r, c), size = Math.abs(value);
      const told = signed ? signedNumber(value) : shareNumber(value);
      const about = `${row} → ${column}: ${signed ? value.toFixed(3) : roughly(value)}`;
      fill(r, c, size, told, signed && value > 0, about);
      if (r === 0 && size > Math.abs(most[1])) most = [c, value];
    }));
    const what = signed ? "strongest pull of the first row" : "the first row looks most";
    svg.setAttribute("aria-label", `Block ${block}, head ${head}: ${what} at ${columns[most[0]]}, ${
      signed ? most[1].toFixed(2) : roughly(most[1])}`);
  });
}

// Heads of one block side by side, as many as there is room for so that all rows are alike.
function arrange(parent, size, heads) {
  const gap = 14, room = () => Math.max(1, Math.floor((parent.clientWidth + gap) / (size + gap)));
  parent.arrange = () => {
    let across = Math.min(heads, room());
    while (heads % across) across--;
    parent.style.gridTemplateColumns = `repeat(${across}, minmax(0, ${Math.round(1.7 * size)}px))`;
  };
  if (!parent.watched) new ResizeObserver(() => parent.arrange()).observe(parent);
  parent.watched = true;
  parent.arrange();
}

// Only all of a look is 100.
const shareNumber = (value) =>
  value < 0.005 ? "" : value >= 0.995 && value < 1 ? ">99" : String(Math.round(100 * value));
const signedNumber = (value) =>
  Math.abs(value) < 0.05 ? "" : `${value > 0 ? "+" : "−"}${Math.round(Math.abs(10 * value))}`;

const LOOKS = {
  attention: (numbers) =>
    `Each row is a position that looks, each ${numbers ? "number the percent" : "cell the share"} of its look that ` +
    "goes to a column; a row adds up to 100 %. The answer is read at the first row.",
  pull: (numbers, scale) =>
    `The gradient of the loss for each score (query times key): orange${numbers ? " and +" : ""} where ` +
    `a higher score would lower the loss, blue${numbers ? " and −" : ""} where it would raise it. ` +
    (scale > 0 ? `${numbers ? "10" : "Full colour"} is ${scale.toExponential(1)} nats for each unit of score.`
      : "It is zero everywhere."),
};

function drawExamples(data, now) {
  let parts, fillBars, fillMaps, example;
  const chosen = () => document.querySelector("input[name=looks]:checked").value;
  const show = () => {
    const m = now(), pull = chosen() === "pull", shares = Array.from(at(parts.probabilities, m).data);
    const [, blocks, heads, rows, columns] = parts.attention.shape, map = at(parts[chosen()], m).data;
    fillBars(shares);
    const said = example.said[m], loss = [example.loss[m].toPrecision(3), "nats", example.loss_of].join(" ").trim();
    const verdict = said === example.right ? "Right:" : `Not ${example.right}, which is right:`;
    $("says").textContent = `${verdict} it says ${said}. Its loss here is ${loss}.`;
    const about = LOOKS[chosen()](columns <= FEW, example.pull_scale[m]);
    $("looks-text").textContent = `${about} ${data.about_maps[chosen()]}`;
    fillMaps((b, h, r, c) => map[((b * heads + h) * rows + r) * columns + c], pull);
  };
  const choose = () => {
    example = data.examples[Number($("example").value)];
    parts = Object.fromEntries(["probabilities", "attention", "pull"].map((key) => [key, unpack(example[key])]));
    $("kind").textContent = example.kind;
    fillBars = bars($("probabilities"), [...example.candidates, "any other"], example.right);
    const [, blocks, heads] = parts.attention.shape;
    fillMaps = attentionMaps($("maps"), blocks, heads, example.rows, example.columns);
    show();
  };
  data.examples.forEach((one, i) => make($("example"), "option", { value: i }, one.text));
  $("example").addEventListener("change", choose);
  document.querySelectorAll("input[name=looks]").forEach((one) => one.addEventListener("change", show));
  choose();
  return show;
}
