"use strict";
// Loss and accuracy over the updates, with the moment of the slider.

const LINES = [["blue", ""], ["orange", "7 3"], ["green", "2 2"], ["pink", "9 3 2 3"], ["plain", "4 4"]];

// The lines of a chart: {name, points: [[x, y], ...], colour, dash, thin}
function lineChart(parent, lines, options) {
  let mark = () => {};
  fitted(parent, (width) => {
    const legend = lines.filter((line) => line.name);
    const slot = 50 + 6.2 * Math.max(...legend.map((line) => line.name.length));
    const rowsOf = Math.max(1, Math.floor((width - 40) / slot));
    const box = { left: 40, right: width - 10, top: 10, bottom: 210 };
    const height = box.bottom + 36 + 18 * Math.ceil(legend.length / rowsOf);
    const svg = picture(parent, width, height, options.label);
    const x = (step) => box.left + (step / options.end) * (box.right - box.left);
    const y = (value) => box.bottom - (value / options.top) * (box.bottom - box.top);
    for (const value of ticks(0, options.top, 4)) {
      make(svg, "line", { class: "axis", x1: box.left, x2: box.right, y1: y(value), y2: y(value) });
      make(svg, "text", { x: box.left - 5, y: y(value) + 4, "font-size": 11, "text-anchor": "end" }, value);
    }
    for (const step of ticks(0, options.end, Math.min(6, width / 90)))
      make(svg, "text", { x: x(step), y: box.bottom + 15, "font-size": 11, "text-anchor": "middle" }, whole(step));
    make(svg, "text", { x: box.right, y: box.bottom + 29, "font-size": 11, "text-anchor": "end" }, "updates");
    const now = make(svg, "line", { class: "now", y1: box.top, y2: box.bottom });
    for (const line of lines) {
      const path = through(line.points.map(([step, value]) => [x(step), y(value)]));
      const width = line.thin ? 1 : 2;
      const stroke = { stroke: `var(--${line.colour})`, "stroke-dasharray": line.dash, "stroke-width": width };
      make(svg, "path", { d: path, fill: "none", opacity: line.thin ? 0.6 : 1, ...stroke });
      const r = line.points.length > 40 ? 1.5 : 2.5;
      if (!line.thin) for (const [step, value] of line.points)
        make(svg, "circle", { cx: x(step), cy: y(value), r, fill: `var(--${line.colour})` });
    }
    legend.forEach((line, i) => {
      const place = { x: box.left + (i % rowsOf) * slot, y: box.bottom + 46 + 18 * Math.floor(i / rowsOf) };
      make(svg, "line", { x1: place.x, x2: place.x + 24, y1: place.y - 4, y2: place.y - 4,
        stroke: `var(--${line.colour})`, "stroke-dasharray": line.dash, "stroke-width": line.thin ? 1 : 2 });
      make(svg, "text", { x: place.x + 30, y: place.y, "font-size": 11 }, line.name);
    });
    mark = (step) => { for (const end of ["x1", "x2"]) now.setAttribute(end, x(step).toFixed(1)); };
    mark(options.now());
  });
  return (step) => mark(step);
}

function pairs(packed) {
  const { shape, data } = unpack(packed);
  return Array.from({ length: shape[0] }, (_, i) => [data[2 * i], data[2 * i + 1]]);
}

function drawCurves(data, now) {
  const { curves } = data, end = data.steps, trained = pairs(curves.loss);
  const epochs = (key) => curves.epochs.map((one) => [one.step, one[key]]);
  const losses = [
    { name: "batches trained on", points: trained, colour: "plain", dash: "", thin: true },
    { name: "validation part", points: epochs("loss"), colour: "blue", dash: "" },
  ].filter((line) => line.points.length);
  const top = Math.max(0.1, ...losses.flatMap((line) => line.points.map((point) => point[1])));
  const named = Object.entries(curves.groups).map(([name, shares], i) => [name, shares, ...LINES[i % LINES.length]]);
  const shares = named.length
    ? named.map(([name, values, colour, dash]) => ({
        name, colour, dash, points: values.map((value, i) => [curves.epochs[i].step, 100 * value]) }))
    : [{ name: "validation part", colour: "blue", dash: "", points: epochs("accuracy").map(([x, y]) => [x, 100 * y]) }];
  const batches = pairs(curves.accuracy).map(([x, y]) => [x, 100 * y]);
  const accuracy = [{ name: "batches trained on", points: batches, colour: "plain", dash: "", thin: true }, ...shares];
  const drawn = [
    lineChart($("loss"), losses, { end, top, now, label: `Loss in nats over ${whole(end)} updates` }),
    lineChart($("accuracy"), accuracy.filter((line) => line.points.length), {
      end, top: 100, now, label: `Right answers in percent over ${whole(end)} updates` }),
  ];
  const mean = curves.mean_of > 1 ? `A point of the thin line is the mean of at most ${curves.mean_of} batches.` : "";
  $("mean-of").textContent = mean || "The thin line is each batch.";
  if (named.length) $("accuracy-title").textContent = "Right answers by operation, validation part (%)";
  return (step) => drawn.forEach((mark) => mark(step));
}
