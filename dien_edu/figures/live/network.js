// The trained networks of chapter 12, run in the page: every equation is a function of maths.js.
import { affine, attentionScores, dice, half, range, recurrence, sigmoid, softmax, sum } from "./maths.js";

const { interests: INTERESTS, networks: NETWORKS } = STORED; // network.json, set in by the bundler
export const ITEMS = STORED.items; // title, interest, stage, tier; item 0 is padding
export const EVOLUTIONS = ["aigru", "agru", "augru"];
export const NAME_OF = { aigru: "AIGRU", agru: "AGRU", augru: "AUGRU" };
export const LONGEST = 50;

export const titleOf = (item) => ITEMS[item][0];
export const interestOf = (item) => INTERESTS[ITEMS[item][1]];

// Base64 of half-precision numbers -> nested arrays of the stored shape.
function numbers({ shape, data }) {
  const text = atob(data);
  const flat = range(text.length / 2).map((i) => half(text.charCodeAt(2 * i) | (text.charCodeAt(2 * i + 1) << 8)));
  return shape.length < 2 ? flat : range(shape[0]).map((row) => flat.slice(row * shape[1], (row + 1) * shape[1]));
}

const cell = (read, name) => ({
  weightInput: read(`${name}.weight_input`), weightHidden: read(`${name}.weight_hidden`), bias: read(`${name}.bias`),
});
const layer = (read, name) => ({ weight: read(`${name}.weight`), bias: read(`${name}.bias`) });
const bend = (read, name) => Object.fromEntries(["mean", "variance", "slope"].map((key) => [key, read(`${name}.${key}`)]));

// The weights of one evolution, decoded when they are first asked for.
const decoded = {};
function network(evolution) {
  const read = (name) => numbers(NETWORKS[evolution][name]);
  return (decoded[evolution] ??= {
    evolution,
    item: read("embedding.item.weight"), category: read("embedding.category.weight"),
    extractor: cell(read, "extractor"), attention: read("attention.weight"), evolving: cell(read, "evolution"),
    head: [layer(read, "head.0"), layer(read, "head.2"), layer(read, "head.4")],
    dice: [bend(read, "head.1"), bend(read, "head.3")],
  });
}

// What was asked before is not computed again: a click that is only looked at changes no number.
const known = new Map();
export function run(evolution, history, target) {
  const key = `${evolution} ${target} ${history}`, found = known.get(key) ?? predict(evolution, history, target);
  known.delete(key);
  known.set(key, found); // the newest last
  if (known.size > 12) known.delete(known.keys().next().value);
  return found;
}

// The whole network on one history: embeddings, (2)-(5), (8), the evolution, the head.
function predict(evolution, history, target) {
  const { item, category, extractor, attention: weight, evolving, head, dice: bends } = network(evolution);
  const embed = (id) => [...item[id], ...category[ITEMS[id][1] + 1]];
  const zeros = Array(weight.length).fill(0);
  const behaviours = history.map(embed), asked = embed(target);
  const extracted = recurrence("gru", behaviours, behaviours.map(() => 1), extractor, zeros);
  const interests = extracted.map(({ state }) => state);
  const scores = attentionScores(interests, asked, weight);
  const attention = history.length ? softmax(scores) : [];
  const evolved = recurrence(evolution, interests, attention, evolving, zeros);
  const total = sum(behaviours, asked.length);
  const features = [asked, total, asked.map((value, i) => value * total[i]), evolved.at(-1)?.state ?? zeros];
  const first = dice(affine(head[0].weight, features.flat(), head[0].bias), bends[0]);
  const second = dice(affine(head[1].weight, first, head[1].bias), bends[1]);
  const [logit] = affine(head[2].weight, second, head[2].bias);
  return {
    behaviours, extracted, interests, scores, attention, features, first, second, logit, probability: sigmoid(logit),
    steps: evolved, evolved: evolved.map(({ state }) => state),
  };
}
