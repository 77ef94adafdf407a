// The ranking of the seven models, guessed before it is shown (chapter 10).
import { meanAndSpread, pairsOf, range } from "./maths.js";
import { LOOKS, figure, label, line, marker, num, tag } from "./kit.js";
import { sortable } from "./sortable.js";

const PAPER = ["base", "din", "gru-attention", "aigru", "agru", "augru", "dien"];
const WHAT = {
  base: "sum of the history", din: "weighted sum", "gru-attention": "weighted states", aigru: "scales the input",
  agru: "replaces the gate", augru: "scales the gate", dien: "augru + auxiliary loss",
};
const TITLES = { "interest-world": "the generated world", "movielens-100k": "MovieLens-100K", "amazon-beauty": "Amazon Beauty" };
const titleOf = (data) => TITLES[data] ?? data;
const lookOf = (model) => model.replace("-", "_");

function compute({ order, data, scores }) {
  const mean = (values) => meanAndSpread(values.map((value) => [value]))[0].mean;
  const means = Object.fromEntries(order.map((model) => [model, mean(scores[data][model])]));
  const pairs = pairsOf(order, scores[data]), decided = pairs.filter((pair) => pair.decided);
  return { means, pairs, decided, ranked: [...order].sort((a, b) => means[a] - means[b]) };
}

const ROW = 38, TOP = 30, LEFT = 136, RIGHT = 60; // pixels

function draw({ order, data, shown, scores }, { means }, width) {
  const floor = TOP + ROW * order.length, end = width - RIGHT, y = (place) => TOP + ROW * (place + 0.5);
  const names = order.map((model, place) => label(4, y(place) + 5, `${place + 1}`)
    + tag("g", { class: `series ${lookOf(model)}` }, marker(LOOKS[lookOf(model)].marker, 24, y(place), 6))
    + label(38, y(place) + 5, model, { class: "strong" })).join("");
  const head = (words) => label(4, 14, `test AUC on ${titleOf(data)}${words}`, { class: "soft" });
  const height = floor + 66;
  if (!shown) {
    const lanes = order.map((_, place) => line("limit", LEFT, y(place), width - 8, y(place))
      + label((LEFT + width) / 2, y(place) + 5, "?", { class: "strong halo", "text-anchor": "middle" })).join("");
    return { height, marks: head(": not shown yet") + names + lanes + label(4, floor + 20, "1: the worst, 7: the best, as you have it", { class: "soft" }) };
  }
  const all = order.flatMap((model) => scores[data][model]), [least, most] = [Math.min(...all), Math.max(...all)];
  const span = most - least || 0.01, low = least - 0.04 * span, wide = 1.08 * span;
  const px = (value) => LEFT + ((value - low) / wide) * (end - LEFT);
  const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1].find((one) => (wide / one) * 44 <= end - LEFT) ?? 0.2; // a tick's room
  const first = Math.ceil(low / step), ticks = range(Math.floor((low + wide) / step) - first + 1).map((n) => (first + n) * step);
  const grid = ticks.map((value) => line("grid", px(value), TOP, px(value), floor)
    + label(px(value), floor + 16, num(value, step < 0.01 ? 3 : 2), { "text-anchor": "middle" })).join("");
  const at = (place) => [px(means[order[place]]), y(place) - 6];
  const steps = range(order.length - 1).map((place) => {
    const [[x1, y1], [x2, y2]] = [at(place), at(place + 1)];
    return x2 < x1 ? tag("g", { class: "series", "data-falls": place },
      tag("line", { class: "line", x1, y1, x2, y2, "stroke-dasharray": "4 4" })) : line("track", x1, y1, x2, y2);
  }).join("");
  const marks = order.map((model, place) => {
    const shape = LOOKS[lookOf(model)].marker, [x, top] = at(place);
    const seeds = scores[data][model].map((score) => marker(shape, px(score), y(place) + 9, 3)).join("");
    return tag("g", { class: `series ${lookOf(model)}`, "data-model": model }, seeds + marker(shape, x, top, 7))
      + label(width - 4, y(place) + 2, num(means[model], 4), { "text-anchor": "end", class: "strong" });
  }).join("");
  const key = ["large: the mean · small: one seed each", "a dashed step falls: not as you have it"];
  return {
    height, marks: head("") + label(width - 4, 14, "mean", { class: "soft", "text-anchor": "end" }) + grid + steps + names + marks
      + key.map((words, n) => label(4, floor + 40 + 18 * n, words, { class: "soft" })).join(""),
  };
}

function say({ order, data, shown }, { pairs, decided }) {
  if (!shown) return `Your order, worst first: ${order.join(", ")}. Nothing is shown yet.`;
  const count = (some) => some.filter(({ right }) => right).length;
  const all = `${count(pairs)} of ${pairs.length} pairs stand as the means do on ${titleOf(data)}.`;
  if (pairs.some(({ half }) => half === null)) return all;
  const rule = "(95\u00a0% interval of the paired difference leaves out 0)", k = count(decided);
  if (!decided.length) return `${all} The seeds decide none of them ${rule}.`;
  return `${all} Of the ${decided.length} ${decided.length === 1 ? "pair" : "pairs"} that the seeds decide ${rule}, ${k} ${k === 1 ? "stands" : "stand"} right.`;
}

function table({ order, data, shown, scores }, { means, pairs }) {
  const interval = (lead, half) => (half === null ? "–" : `${num(lead - half, 4)} to ${num(lead + half, 4)}`);
  const yes = (is) => (is ? "yes" : "no");
  const models = {
    caption: "The models, in your order", head: ["place", "model", "mean test AUC", "one a seed"],
    rows: order.map((model, place) => [`${place + 1}`, model, ...(shown
      ? [num(means[model], 4), scores[data][model].map((score) => num(score, 4)).join(", ")] : ["hidden", "hidden"])]),
  };
  return shown ? [models, {
    caption: "The pairs, in your order", head: ["pair", "ahead by", "95\u00a0% interval", "decided", "stands right"],
    rows: pairs.map(({ earlier, later, lead, half, decided, right }) => [`${order[later]} after ${order[earlier]}`,
      num(lead, 4), interval(lead, half), half === null ? "–" : yes(decided), yes(right)]),
  }] : [models];
}

// What the guided steps see.

function furthest({ order }, { pairs }) {
  const right = pairs.filter((pair) => pair.right).length;
  const worst = [...pairs].sort((a, b) => a.lead - b.lead)[0];
  return `${right} of your ${pairs.length} pairs stand. ` + (worst.right ? "No pair is wrong."
    : `The one that is furthest off: you have ${order[worst.later]} after ${order[worst.earlier]}, and it is ${num(-worst.lead, 4)} behind.`);
}

function undecided({ order }, { pairs, decided, means, ranked }) {
  if (pairs.some(({ half }) => half === null)) return "there is no factor for this number of seeds, so no pair is decided.";
  const [best, next] = [...ranked].reverse(), others = ranked.slice(0, -1);
  const among = pairs.filter(({ earlier, later }) => ![order[earlier], order[later]].includes(best));
  const halves = among.map(({ half }) => half).sort((a, b) => a - b), middle = halves[Math.floor(halves.length / 2)];
  return `${decided.length} of ${pairs.length} are decided. ${best} is ${num(means[best] - means[next], 4)} ahead of the next. `
    + `The means of the other six lie within ${num(means[next] - means[others[0]], 4)}, and half of a pair's interval is `
    + `${num(middle, 4)} (the median of their ${among.length} pairs): of these the seeds decide ${among.filter((pair) => pair.decided).length}.`;
}

function neighbours({ order }, { pairs, decided }) {
  const near = ({ earlier, later }) => later === earlier + 1;
  return `it runs from ${order[0]} to ${order.at(-1)}. Of its ${pairs.filter(near).length} steps from row to row the seeds decide `
    + `${decided.filter(near).length}, of all ${pairs.length} pairs ${decided.length}. The rest may be the luck of the seeds.`;
}

export function mount(root, model) {
  const all = Object.keys(model.get("scores"));
  const steps = [
    { on: "movielens-100k", text: "put the models in the order that you expect on MovieLens-100K, worst first, and then show what was measured. (“Show me” takes the paper's order.)",
      see: furthest, set: () => ({ order: PAPER, data: "movielens-100k", shown: true }),
      done: ({ data, shown }) => shown && data === "movielens-100k" },
    { on: "amazon-beauty", text: "look at the same order on Amazon Beauty. Why do so few pairs count as decided?",
      see: undecided, set: () => ({ data: "amazon-beauty", shown: true }),
      done: ({ data, shown }) => shown && data === "amazon-beauty" },
    { text: "make every pair stand: the measured order on this data. How much of it do the seeds decide?",
      see: neighbours, set: (state) => ({ order: compute(state).ranked, shown: true }),
      done: ({ shown }, { pairs }) => shown && pairs.every(({ right }) => right) },
  ];
  return figure(root, model, {
    name: "guess",
    title: "Guess first: how do the seven models rank?",
    keys: ["order", "data", "shown", "scores"],
    compute, draw, say, table,
    extra: (read, change) => sortable(read, change, {
      key: "order", label: "Your order, worst first", row: ({ order }, result, place) => ({ name: order[place], words: WHAT[order[place]] }),
    }),
    controls: [
      { kind: "choice", key: "data", label: "data", options: all.map((data) => [data, titleOf(data)]), shown: () => all.length > 1 },
      { kind: "toggle", key: "shown", label: "show what was measured" },
    ],
    tries: steps.filter(({ on }) => !on || all.includes(on)),
  });
}
