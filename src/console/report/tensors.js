"use strict";
// Gradients by tensor, and the plane in which the embedding spreads most.

function drawGradients(data, now) {
  const { gradients } = data, lengths = unpack(gradients.lengths);
  const finite = Array.from(lengths.data).filter(Number.isFinite);
  const high = Math.ceil(Math.max(...finite)), low = Math.max(Math.floor(Math.min(...finite)), high - 6);
  const share = (value) => Math.max(0, Math.min(1, (value - low) / (high - low || 1)));
  $("tensors").style.setProperty("--decade", `${100 / (high - low || 1)}%`);
  const rows = gradients.tensors.map((tensor, i) => {
    const row = make($("tensors"), "label", { class: "tensor" });
    const radio = make(row, "input", { type: "radio", name: "tensor", value: i });
    make(row, "span", {}, tensor.name);
    const fill = make(make(row, "div", { class: "decades" }), "i");
    radio.addEventListener("change", () => choose(i));
    return { radio, fill, number: make(row, "span", { class: "length" }) };
  });
  let fillHeat = () => {};
  const choose = (i) => { fillHeat = heat(gradients.tensors[i]); fillHeat(now()); };
  $("decades").textContent = `from ${scientific(low)} at the left to ${scientific(high)} at the right`;
  $("probe").textContent = `the same ${whole(gradients.examples)} training examples`;
  rows[0].radio.checked = true;
  choose(0);
  return () => {
    rows.forEach((row, i) => {
      const value = lengths.data[now() * rows.length + i];
      row.fill.style.width = `${100 * share(value)}%`;
      row.number.textContent = scientific(value);
    });
    fillHeat(now());
  };
}

function heat(tensor) {
  const values = unpack(tensor.heat), [, rows, columns] = values.shape;
  const finite = Array.from(values.data).filter(Number.isFinite);
  const high = finite.length ? Math.max(...finite) : 0, low = high - 4;
  const parent = $("heat"), left = tensor.rows ? 44 : 4, cell = (360 - left) / columns;
  const top = tensor.columns ? headroom(tensor.columns, cell) : 4, tall = rows === 1 ? 24 : Math.min(cell, 320 / rows);
  const names = { rowNames: tensor.rows, columnNames: tensor.columns, font: Math.min(10, tall) };
  const { svg, fill } = grid(parent, rows, columns, { cell, tall, left, top, label: "", ...names });
  $("heat-name").textContent = `${tensor.name}, ${tensor.shape.map(whole).join(" × ")}`;
  const [inside, outside] = tensor.shape.length > 1 ? tensor.shape : [1, tensor.shape[0]];
  const blocks = rows < inside || columns < outside
    ? `Each cell is the root mean square of a block, ${rows} × ${columns} of them` : "Each cell is one number's size";
  const sides = tensor.shape.length > 1 ? " Rows are what comes in, columns what goes out." : "";
  $("heat-text").textContent =
    finite.length === 0 ? "It is zero at every moment." : `${blocks}: full colour is ${scientific(high)}, ` +
      `blank ${scientific(low)} or less, over four powers of ten.${sides}`;
  return (m) => {
    const map = at(values, m).data;
    for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) {
      const value = map[r * columns + c], share = Math.max(0, Math.min(1, (value - low) / 4));
      const named = [tensor.rows?.[r], tensor.columns?.[c]].filter(Boolean).join(" ");
      const place = named || `row ${r}, column ${c} of the picture`;
      fill(r, c, Number.isFinite(value) ? share : 0, "", false, `${place}: ${scientific(value)}`);
    }
    const top = Math.max(...map);
    svg.setAttribute("aria-label", `Gradient of ${tensor.name}: the largest cell is ${scientific(top)}`);
  };
}

function drawEmbedding(data, now) {
  const { names, shares, joined } = data.embedding, places = unpack(data.embedding.places);
  let show = () => {};
  fitted($("embedding"), (width) => {
    show = () => plane($("embedding"), Math.min(width, 540), names, at(places, now()).data, joined);
    show();
  });
  return () => {
    show();
    $("embedding-text").textContent =
      `Every token is a vector. Here ${joined ? "the digits" : "they"} are in the plane in which they spread most; ` +
      `it holds ${percent(shares[now()])} of their spread at this moment. ` +
      (joined ? "The line joins 0 to 9 in order. " : "") +
      "The plane of each moment is turned to lie as near as it can to the next one's; distances stay what they are. " +
      "The scale follows the vectors: read it at the axes.";
  };
}

// The scale is the moment's own: weight decay draws the vectors together by a factor of ten in some runs.
function plane(parent, size, names, places, joined) {
  const reach = 1.15 * Math.max(1e-9, ...Array.from(places).map(Math.abs));
  const label = `The tokens ${names.join(" ")} in the plane of their greatest spread`;
  const svg = picture(parent, size, size + 22, label);
  const x = (value) => 40 + ((value + reach) / (2 * reach)) * (size - 50);
  const y = (value) => 10 + ((reach - value) / (2 * reach)) * (size - 50);
  for (const value of ticks(-reach, reach, 5)) {
    make(svg, "line", { class: "axis", x1: x(-reach), x2: x(reach), y1: y(value), y2: y(value) });
    make(svg, "line", { class: "axis", y1: y(-reach), y2: y(reach), x1: x(value), x2: x(value) });
    make(svg, "text", { x: 36, y: y(value) + 4, "font-size": 11, "text-anchor": "end" }, value);
    make(svg, "text", { x: x(value), y: size - 24, "font-size": 11, "text-anchor": "middle" }, value);
  }
  make(svg, "text", { x: size - 10, y: size - 8, "font-size": 11, "text-anchor": "end" }, "in units of the embedding");
  const points = names.map((_, i) => [x(places[2 * i]), y(places[2 * i + 1])]);
  const line = { fill: "none", stroke: "var(--blue)", "stroke-width": 1.5, opacity: 0.55 };
  if (joined) make(svg, "path", { d: through(points), ...line });
  points.forEach(([px, py], i) => {
    const place = { x: px.toFixed(1), y: (py + 5).toFixed(1) };
    make(svg, "text", { class: "strong", ...place, "font-size": 15, "text-anchor": "middle" }, names[i]);
  });
}
