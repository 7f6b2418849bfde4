"use strict";
// The classifier's forward, as numpy_ref/models/classifier.py has it, for one expression: rows are Float64Arrays.

function readModel(told) {
  const weights = {};
  for (const [name, packed] of Object.entries(told.weights)) weights[name] = unpack(packed);
  return { ...told, weights };
}

// The token ids of an expression, or a sentence that says what is wrong with it.
function parseExpression(text, model) {
  const found = /^\s*([A-Za-z]+)\s*(\(?)([\d\s,]*)(\)?)\s*$/.exec(text);
  const like = `type an operation and digits, like ${model.example}`;
  if (!found) return { error: `This is no expression: ${like}.` };
  const op = model.ops.find((name) => name.toLowerCase() === found[1].toLowerCase());
  if (!op) return { error: `There is no operation ${found[1]}; this model knows ${model.ops.join(", ")}.` };
  if (Boolean(found[2]) !== Boolean(found[4])) return { error: `A bracket has no partner: ${like}.` };
  if (/^\s*,|,\s*,|,\s*$/.test(found[3])) return { error: `There is no digit beside a comma: ${like}.` };
  const args = found[3].split(/[\s,]+/).filter((word) => word !== "");
  const long = args.find((word) => word.length > 1);
  if (long) return { error: `${long} is not one digit: the model reads single digits, with blanks or commas between.` };
  if (args.length < model.fewest[op]) return { error: `${op} needs at least ${model.fewest[op]} digits: ${like}.` };
  if (args.length + 3 > model.max_len) return { error: `The model reads at most ${model.max_len - 3} digits.` };
  const words = [op, "(", ...args, ")"];
  return { op, args: args.map(Number), words, tokens: words.map((word) => model.tokens.indexOf(word)) };
}

// What an operation means: the rule that the training examples were made by.
function rightAnswer(op, args) {
  const rules = { First: args[0], Second: args[1], Last: args.at(-1), Max: Math.max(...args), Min: Math.min(...args) };
  return String(rules[op]);
}

function answer(model, tokens) {
  const w = model.weights, width = model.d_model;
  let x = tokens.map((token, t) => at(w["emb.w"], token).data.map((value, i) => value + position(t, i, width)));
  const attention = [];
  for (let i = 0; i < model.n_blocks; i++) {
    const name = `blocks.${i}`;
    const looked = attend(x, w, `${name}.attn`, model.n_heads);
    attention.push(looked.shares);
    const m = norm(plus(x, looked.rows), w, `${name}.norm1`, model.eps);
    const hidden = linear(m, w, `${name}.ffn.up`).map((row) => row.map((value) => Math.max(0, value)));
    x = norm(plus(m, linear(hidden, w, `${name}.ffn.down`)), w, `${name}.norm2`, model.eps);
  }
  const logits = linear([x[0]], w, "head")[0];
  return { logits: Array.from(logits), probabilities: Array.from(softmax(logits)), attention };
}

function position(t, i, width) {
  const angle = t * 10000 ** (-(i - (i % 2)) / width);
  return i % 2 ? Math.cos(angle) : Math.sin(angle);
}

function linear(rows, w, name) {
  const [inside, outside] = w[`${name}.w`].shape, weights = w[`${name}.w`].data, bias = w[`${name}.b`];
  return rows.map((row) => {
    const made = bias ? Float64Array.from(bias.data) : new Float64Array(outside);
    for (let i = 0; i < inside; i++) for (let j = 0; j < outside; j++) made[j] += row[i] * weights[i * outside + j];
    return made;
  });
}

function attend(x, w, name, heads) {
  const [q, k, v] = ["q", "k", "v"].map((part) => linear(x, w, `${name}.${part}`));
  const size = q[0].length / heads, shares = [], mixed = x.map(() => new Float64Array(q[0].length));
  for (let h = 0; h < heads; h++) {
    const one = (row) => row.subarray(h * size, (h + 1) * size);
    const scores = q.map((asks) => k.map((key) => dot(one(asks), one(key)) / Math.sqrt(size)));
    shares.push(scores.map(softmax));
    shares[h].forEach((row, t) => row.forEach((share, s) =>
      one(v[s]).forEach((value, i) => { mixed[t][h * size + i] += share * value; })));
  }
  return { rows: linear(mixed, w, `${name}.o`), shares };
}

function norm(rows, w, name, eps) {
  const gain = w[`${name}.g`].data, bias = w[`${name}.b`].data;
  return rows.map((row) => {
    const mean = sum(row) / row.length, centred = row.map((value) => value - mean);
    const r = 1 / Math.sqrt(dot(centred, centred) / row.length + eps);
    return centred.map((value, i) => gain[i] * (value * r) + bias[i]);
  });
}

function softmax(row) {
  const top = Math.max(...row), raised = row.map((value) => Math.exp(value - top)), all = sum(raised);
  return raised.map((value) => value / all);
}

function plus(a, b) {
  return a.map((row, t) => row.map((value, i) => value + b[t][i]));
}

function dot(a, b) {
  let all = 0;
  for (let i = 0; i < a.length; i++) all += a[i] * b[i];
  return all;
}

function sum(row) {
  return row.reduce((a, b) => a + b, 0);
}
