"use strict";
// What every picture is made of. Text always goes in as text.

const $ = (id) => document.getElementById(id);

function make(parent, name, attributes = {}, text = null) {
  const drawn = /^(svg|g|rect|line|path|text|circle|title)$/.test(name);
  const node = drawn ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  parent.append(node);
  return node;
}

function picture(parent, width, height, label) {
  parent.replaceChildren();
  return make(parent, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
}

// Draw again when the place becomes wider or narrower, so that letters keep their size.
function fitted(parent, draw) {
  let width = 0;
  const again = () => {
    if (parent.clientWidth && parent.clientWidth !== width) draw((width = parent.clientWidth));
  };
  new ResizeObserver(again).observe(parent);
  again();
}

// Round numbers from low to high, about so many.
function ticks(low, high, count) {
  const raw = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++)
    found.push(Number((i * step).toPrecision(9)));
  return found;
}

// A path through points.
const through = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

const whole = (n) => n.toLocaleString("en-US");

// A share as people read it. Only what is all of them is 100 %.
function percent(share) {
  if (share === 1) return "100 %";
  return share > 0.999 ? `${Math.min(100 * share, 99.99).toFixed(2)} %` : `${(100 * share).toFixed(1)} %`;
}

// A share that was kept in 16 bits: beside 1 they tell thousandths apart, no more.
function roughly(share) {
  if (share === 1) return "100 %";
  return share > 0.9993 ? "over 99.9 %" : `${(100 * share).toFixed(1)} %`;
}

// Two digits, rounded up: nothing was larger.
function atMost(value) {
  const near = value.toExponential(1), [digits, power] = near.split("e");
  return String(Number(near) < value ? Number(`${(Number(digits) + 0.1).toFixed(1)}e${power}`) : Number(near));
}

function scientific(log10) {
  return Number.isFinite(log10) ? (10 ** log10).toExponential(1) : "0";
}

// Rows of a name, a bar from 0 to 1 and a number; returns how to fill them.
function bars(parent, names, right) {
  parent.replaceChildren();
  const rows = names.map((name) => {
    const row = make(parent, "div", { class: name === right ? "row right" : "row" });
    make(row, "span", {}, name);
    const fill = make(make(row, "div", { class: "track" }), "i");
    return { fill, number: make(row, "span") };
  });
  return (shares) => shares.forEach((share, i) => {
    rows[i].fill.style.width = `${100 * share}%`;
    rows[i].number.textContent = percent(share);
  });
}

const wideNames = (names, cell) => names.some((name, c) => c > 0 && name.length * 5.6 > cell + 2);

// The height that the names of columns take.
const headroom = (names, cell) => (wideNames(names, cell) ? 9 + 5 * Math.max(...names.map((name) => name.length)) : 15);

// Rectangles side by side, a row of them for each name; returns how to fill one.
function grid(parent, rows, columns, options) {
  const { cell, left, top, label, numbers, columnNames, rowNames, tall = cell } = options;
  const svg = picture(parent, left + columns * cell + 1, top + rows * tall + 1, label);
  const font = options.font ?? 9.5;
  rowNames?.forEach((name, r) => {
    const place = { x: left - 4, y: top + r * tall + tall / 2 + font / 3 };
    make(svg, "text", { ...place, "font-size": font, "text-anchor": "end" }, name);
  });
  const turned = columnNames && wideNames(columnNames, cell);
  columnNames?.forEach((name, c) => {
    const first = c === 0 && !turned && name.length * 5.6 > cell; // it has room to its left
    const x = left + (first ? cell : (c + (turned ? 0.7 : 0.5)) * cell), y = top - 4;
    const turn = turned ? { transform: `rotate(-60 ${x} ${y})` } : {};
    const anchor = first ? "end" : turned ? "start" : "middle";
    make(svg, "text", { x, y, "font-size": font, "text-anchor": anchor, ...turn }, name);
  });
  const cells = [];
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) {
    const place = { x: left + c * cell, y: top + r * tall };
    const rect = make(svg, "rect", { class: "cell", ...place, width: cell, height: tall, "fill-opacity": 0 });
    const about = make(rect, "title");
    const value = numbers && make(svg, "text", {
      class: "value", x: place.x + cell / 2, y: place.y + tall / 2 + font / 3, "font-size": font - 0.5 });
    cells.push({ rect, about, value });
  }
  make(svg, "rect", { class: "frame", x: left, y: top, width: columns * cell, height: rows * tall });
  const fill = (r, c, opacity, shown, up, about) => {
    const one = cells[r * columns + c];
    one.rect.setAttribute("fill-opacity", opacity.toFixed(3));
    one.rect.classList.toggle("up", up);
    one.about.textContent = about;
    if (one.value) {
      one.value.textContent = shown;
      one.value.classList.toggle("mid", opacity > 0.6);
      one.value.classList.toggle("full", opacity > 0.88);
    }
  };
  return { svg, fill };
}
