// How much of the start state a history can replace: Π(1 − a_t u) (chapter 08).
import { budgetLimit, kept, mixedAttention, range } from "./maths.js";
import { chart, figure, label, legend, marker, num, percent, tag } from "./kit.js";

const LONGEST = 64;

function compute({ steps, update_gate: update, concentration }) {
  const written = (n, u) => 1 - kept(mixedAttention(n, concentration), u);
  const counts = range(LONGEST).map((n) => n + 1);
  return {
    attention: mixedAttention(steps, concentration), written,
    augru: counts.map((n) => [n, written(n, update)]), agru: counts.map((n) => [n, written(n, 1)]),
    limits: [budgetLimit(update, concentration), budgetLimit(1, concentration)],
  };
}

// What the dashed lines are, in rows below the legend; beside each line stands only its formula.
const LIMITS = [["1 − 1/e", "AGRU, uniform, no end"], ["1 − e⁻ᵘ", "AUGRU, uniform, no end"], ["u", "AUGRU, all on one click"]];
function limitRows(width, top) {
  let x = 4, row = 0;
  const marks = LIMITS.map((pair) => {
    const words = pair.join(": "), room = 46 + 6.8 * words.length;
    if (x + room > width && x > 4) [x, row] = [4, row + 1];
    const y = top + 18 * row, entry = tag("path", { class: "limit", d: `M${x} ${y - 4}h26` }) + label(x + 32, y, words, { class: "soft" });
    x += room;
    return entry;
  }).join("");
  return { marks, height: 18 * (row + 1) };
}

// Formulas of lines that lie close stand apart, in the order of their lines.
function apart(ys, step, low, high) {
  const order = range(ys.length).sort((a, b) => ys[a] - ys[b]), found = [];
  order.forEach((i, n) => { found[i] = n ? Math.max(ys[i], found[order[n - 1]] + step) : Math.max(ys[i], low); });
  [...order].reverse().forEach((i, n, all) => { found[i] = Math.min(found[i], n ? found[all[n - 1]] - step : high); });
  return found;
}

function draw({ steps, update_gate: update, concentration }, { augru, agru, attention }, width) {
  const names = legend([["augru", "AUGRU: a times u"], ["agru", "AGRU: a alone"]], width, 12), keys = limitRows(width, names.height + 16);
  const BARS = 46, above = names.height + keys.height, height = above + 268 + BARS, bottom = BARS + 54;
  const view = chart({ width, height, top: above + 22, bottom, right: 66, x: [0, LONGEST + 1], y: [0, 1] });
  const end = width - view.right, floor = height - 20;
  const ys = [1 - Math.exp(-1), 1 - Math.exp(-update), update].map(view.py), places = apart(ys, 16, view.top, view.py(0));
  const lines = ys.map((y, i) => tag("path", { class: "limit", d: `M${view.left} ${y.toFixed(1)}H${end}L${end + 12} ${places[i].toFixed(1)}` })
    + label(end + 15, places[i] + 4, LIMITS[i][0], { class: "soft" })).join("");
  const now = [[augru, "augru", "P"], [agru, "agru", "<"]].map(([points, look, shape]) =>
    tag("g", { class: `series ${look}` }, marker(shape, view.px(steps), view.py(points[steps - 1][1]), 8))).join("");
  const ticks = [1, 16, 32, 48, LONGEST].map((n) => label(view.px(n), view.py(0) + 18, `${n}`, { "text-anchor": "middle" })).join("")
    + label(end + 15, view.py(0) + 18, "clicks", { class: "soft" });
  const bars = attention.map((a, t) => tag("rect", { class: "bar", x: view.px(t + 0.6), y: floor - a * (BARS - 16),
    width: Math.max(1.5, view.px(1) - view.px(0.2)), height: Math.max(1, a * (BARS - 16)) })).join("");
  return {
    ...view, height,
    marks: names.marks + keys.marks + tag("line", { class: "band", x1: view.px(steps), x2: view.px(steps), y1: view.top, y2: view.py(0) })
      + view.grid([0, 0.25, 0.5, 0.75, 1], 2)
      + view.line(augru, "augru", { marks: false }) + view.line(agru, "agru", { marks: false }) + lines + now + ticks
      + tag("g", { class: "series attention" }, bars) + tag("line", { class: "axis", x1: view.left, x2: end, y1: floor, y2: floor })
      + label(0, floor, "aₜ") + label(view.px(0.6), floor + 16, `attention of the ${steps} clicks`, { class: "soft" }),
  };
}

export function mount(root, model) {
  return figure(root, model, {
    name: "budget",
    title: "The budget: how much can attention that sums to 1 write?",
    keys: ["steps", "update_gate", "concentration"],
    glide: ["update_gate", "concentration"],
    compute, draw,
    controls: [
      { kind: "range", key: "steps", label: "clicks in the history, T", min: 1, max: LONGEST, step: 1, digits: 0 },
      { kind: "range", key: "update_gate", label: "update gate u at every click", min: 0, max: 1, step: 0.01, digits: 2 },
      { kind: "range", key: "concentration", label: "attention: 0 uniform, 1 one click", min: 0, max: 1, step: 0.01, digits: 2 },
    ],
    tries: [
      { text: "make the history long: 64 clicks, uniform attention. Does the budget shrink to nothing?",
        see: "no. It tends to 1 − e⁻ᵘ for AUGRU and to 1 − 1/e for AGRU. What shrinks is the step of each click.",
        set: () => ({ steps: 64, concentration: 0 }), done: ({ steps, concentration }) => steps >= 60 && concentration === 0 },
      { text: "give all attention to one click: 1. What is the most that AUGRU can write?",
        see: "just u. AGRU writes everything: one click replaces the whole state.",
        set: () => ({ concentration: 1 }), done: ({ concentration }) => concentration === 1 },
      { text: "open the update gate: u = 1. What separates the two rules now?",
        see: "nothing: with u = 1 AUGRU is AGRU. Its gate can only take away from the budget.",
        set: () => ({ update_gate: 1, concentration: 0 }), done: ({ update_gate: update }) => update === 1 },
    ],
    say: ({ steps, update_gate: update }, { written, attention }) => {
      const share = written(steps, update);
      return `${steps} clicks, update gate ${num(update)}: AUGRU writes ${percent(share, 1)} of the last state and keeps `
        + `${percent(1 - share, 1)} of the start. AGRU, without a gate of its own, writes ${percent(written(steps, 1), 1)}. `
        + `The largest attention is ${num(Math.max(...attention), 3)}.`;
    },
    table: ({ steps, update_gate: update }, { written, limits }) => ({
      head: ["clicks", "AUGRU writes", "AGRU writes"],
      rows: [...[...new Set([1, 2, 4, 8, 16, 32, 64, steps])].sort((a, b) => a - b)
        .map((n) => [`${n}`, num(written(n, update), 4), num(written(n, 1), 4)]), ["no end", ...limits.map((v) => num(v, 4))]],
    }),
  });
}
