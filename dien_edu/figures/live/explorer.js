// The whole trained network on a history that the reader composes (chapter 12).
import { range } from "./maths.js";
import { figure, label, num, percent, tag } from "./kit.js";
import { EVOLUTIONS, ITEMS, NAME_OF, interestOf, run, titleOf } from "./network.js";
import { composer, inOrder } from "./composer.js";
import { answer, barAt, stage } from "./stage.js";
import { PARTS, detail, titleOfDetail } from "./detail.js";

function compute({ history, target, before }) {
  const runs = Object.fromEntries(EVOLUTIONS.map((rule) => [rule, run(rule, history, target)]));
  const old = before.history ? run(before.evolution, before.history, before.target).probability : null;
  return { runs, before: old };
}

function draw(state, result, width) {
  const top = answer(state, result, width), below = top.height + 12;
  const middle = stage(state, result, width, state.part), under = below + middle.height + 26;
  const bottom = detail(state, result, width);
  const marks = top.marks + tag("g", { transform: `translate(0 ${below})` }, middle.marks)
    + label(0, under, titleOfDetail(state, width), { class: "strong title" }) + tag("g", { transform: `translate(0 ${under + 12})` }, bottom.marks);
  return { marks, height: under + 16 + bottom.height, below, middle };
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const far = (vector, from) => Math.hypot(...vector.map((value, j) => value - (from?.[j] ?? 0)));
const named = (item) => `${titleOf(item)}, ${interestOf(item)}`;

function say({ history, target, evolution, step }, { runs, before }) {
  const found = runs[evolution], others = EVOLUTIONS.filter((rule) => rule !== evolution);
  const was = before === null ? "" : `, before the last change ${percent(before, 1)}`;
  const start = `${history.length} ${history.length === 1 ? "click" : "clicks"}, shown: ${named(target)}. ${NAME_OF[evolution]} gives a click ${percent(found.probability, 1)}${was}; `
    + `${others.map((rule) => `${NAME_OF[rule]} ${percent(runs[rule].probability, 1)}`).join(", ")}.`;
  const t = Math.min(step, history.length - 1);
  if (t < 0) return `${start} No click: no interest, no attention, and h′ is 0.`;
  const { update, written } = found.steps[t], truth = interestOf(history[t]) === interestOf(target) ? "the target's interest" : "another interest";
  return `${start} Click ${t + 1}, ${named(history[t])} (${truth}): attention ${num(found.attention[t])}, mean gate ${num(mean(update))}, `
    + `mean step ${num(mean(written), 3)}; the evolved state moves by ${num(far(found.evolved[t], found.evolved[t - 1]))}.`;
}

function tables({ history, target, evolution, step }, { runs }) {
  const found = runs[evolution], wanted = interestOf(target), t = Math.min(step, history.length - 1);
  const clicks = {
    caption: "Each click",
    head: ["click", "true interest", "score", "attention", "mean gate", "mean step", "moved"],
    rows: history.map((item, i) => [`${i + 1} ${titleOf(item)}`, `${interestOf(item)}${interestOf(item) === wanted ? ", the target's" : ""}`,
      num(found.scores[i]), num(found.attention[i], 4), num(mean(found.steps[i].update), 3), num(mean(found.steps[i].written), 4),
      num(far(found.evolved[i], found.evolved[i - 1]), 3)]),
  };
  if (t < 0) return clicks;
  const { update, written, candidate } = found.steps[t];
  return [clicks, {
    caption: `The numbers of click ${t + 1}`,
    head: ["number", "embedding", "interest", "evolved before", "gate", "step", "candidate", "evolved after"],
    rows: range(update.length).map((j) => [`${j + 1}`, ...[found.behaviours[t][j], found.interests[t][j], found.evolved[t - 1]?.[j] ?? 0,
      update[j], written[j], candidate[j], found.evolved[t][j]].map((value) => num(value, 3))]),
  }];
}

// Guided steps start from the history that the figure came with, whatever the reader has done since.
const itemNamed = (title) => ITEMS.findIndex(([name]) => name === title);
const same = (one, other) => one.length === other.length && one.every((item, i) => item === other[i]);
const remembered = ({ history, target, evolution }) => ({ before: { history, target, evolution } });
function tries(start) {
  const { history } = start, last = history.length - 1, turned = inOrder(history, last, 0);
  const chance = (state, { runs }) => percent(runs[state.evolution].probability, 0);
  const change = (state, result) => `${percent(result.before ?? 0, 0)} → ${chance(state, result)}`;
  const other = itemNamed("stand mixer (simple)");
  return [
    { text: "take the last click, the flash, to the front. The same eight items, in another order: does the network notice?",
      see: (state, result) => `${change(state, result)}. The sum of the clicks is the same; only the recurrences know the order, and the attention that reads their states.`,
      set: () => ({ ...start, ...remembered(start), history: turned, step: 0 }),
      done: (state) => same(state.history, turned) && state.target === start.target },
    { text: "show an item of the other interest: the stand mixer. Where does the attention go?",
      see: (state, result) => `${change(state, result)}. The largest score moves to a cooking click. Later clicks keep some: attention scores states, and a state remembers.`,
      set: () => ({ ...start, ...remembered(start), target: other }),
      done: (state) => state.target === other && same(state.history, history) },
    { text: "remove every click. What is left of the prediction?",
      see: (state, result) => `${chance(state, result)}. With no history the network only knows the item: h′ and the sum are 0.`,
      set: () => ({ ...start, ...remembered(start), history: [], step: 0 }), done: (state) => !state.history.length },
  ];
}

let made = 0;
export function mount(root, model) {
  const keys = ["history", "target", "evolution", "step", "part", "before"];
  const start = structuredClone(Object.fromEntries(keys.map((key) => [key, model.get(key)])));
  const id = `composer-${(made += 1)}`;
  return figure(root, model, {
    name: "explorer",
    title: "DIEN in your browser: compose a history and watch the network think",
    keys, compute, draw, say, table: tables, tries: tries(start),
    lead: (read, change) => composer(id, read, (patch) => change({ ...patch, ...remembered(read()) }), change),
    controls: [
      { kind: "choice", key: "evolution", label: "evolution:", options: EVOLUTIONS.map((rule) => [rule, NAME_OF[rule]]),
        set: (evolution, state) => ({ evolution, ...remembered(state) }) },
      { kind: "choice", key: "part", label: "look into:", options: PARTS },
      { kind: "range", key: "step", label: "click to look at", min: 0, max: 7, step: 1, shown: ({ history }) => history.length > 1,
        last: ({ history }) => history.length - 1, get: ({ step, history }) => Math.min(step, history.length - 1),
        format: (t, { history }) => (t < 0 ? "" : `${t + 1} ${titleOf(history[t])}`) },
    ],
    pick: (x, y, state, { below, middle }) => {
      const { history } = state, place = y - below, part = middle.parts.find(({ top, bottom }) => place >= top && place < bottom)?.name;
      if (place > middle.height) return null;
      if (place < 0) { // a bar of the answer: its evolution
        const evolution = EVOLUTIONS[barAt(y)];
        return evolution && evolution !== state.evolution ? { evolution, ...remembered(state) } : null;
      }
      return { ...(history.length ? { step: middle.columns.at(x) } : {}), ...(part ? { part: part === "gates" ? "evolution" : part } : {}) };
    },
  });
}
