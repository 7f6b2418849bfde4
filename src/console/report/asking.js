"use strict";
// The box in which the model answers: forward.js with the weights of this file.

function drawAsking(data) {
  if (data.model.none) {
    $("ask-text").textContent = `There is no box here. ${data.model.none}`;
    return;
  }
  const model = readModel(data.model), rounded = data.model.rounded;
  const kept = rounded
    ? `They are rounded to 16 bits here: of ${whole(rounded.asked)} test expressions ${rounded.changed} are answered ` +
      `otherwise by that, and no probability moves by more than ${atMost(rounded.largest)}.`
    : "They are the weights of the checkpoint, in full.";
  $("ask-text").textContent =
    `The model itself, run by this page with its weights after update ${whole(data.model.step)}, the best epoch's ` +
    `where one has ended. ${kept} It was trained on ${counted(model)} digits from 0 to ${model.max_value} and knows ` +
    `${model.ops.join(", ")}.`;
  $("ask").hidden = false;
  $("question").value = model.example;
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    reply(model, $("question").value);
  });
}

const counted = ({ min_args: low, max_args: high }) => (low === high ? low : `${low} to ${high}`);

function reply(model, text) {
  const asked = parseExpression(text, model);
  $("reply").hidden = false;
  for (const part of ["reply-bars", "reply-maps"]) $(part).hidden = Boolean(asked.error);
  if (asked.error) {
    $("reply-text").textContent = asked.error;
    return;
  }
  const { probabilities, attention } = answer(model, asked.tokens), right = rightAnswer(asked.op, asked.args);
  const ranked = probabilities.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]).slice(0, 5);
  const [best] = ranked, said = model.tokens[best], strange = beyond(model, asked.args);
  $("reply-text").textContent = `${asked.words.join(" ")}: ${said}, with ${percent(probabilities[best])}. ${
    said === right ? "That is right." : `The right answer is ${right}.`}${strange}`;
  bars($("reply-bars"), ranked.map((i) => model.tokens[i]), right)(ranked.map((i) => probabilities[i]));
  const fill = attentionMaps($("reply-maps"), model.n_blocks, model.n_heads, asked.words, asked.words);
  fill((b, h, r, c) => attention[b][h][r][c], false);
}

function beyond(model, args) {
  const many = args.length < model.min_args || args.length > model.max_args;
  return many || Math.max(...args) > model.max_value ? " It was never trained on expressions like this one." : "";
}
