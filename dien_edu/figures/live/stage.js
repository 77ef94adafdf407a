// The explorer's picture: the answer, then each part of the network, one column a click.
import { range } from "./maths.js";
import { band, clamp, label, line, marker, num, percent, tag } from "./kit.js";
import { EVOLUTIONS, NAME_OF, interestOf } from "./network.js";
import { SHAPES } from "./picker.js";

const UNIT = 4.5; // pixels for one of the numbers of a vector
const MARGIN = 4;
const LOOK_OF = { aigru: "v", agru: "<", augru: "P" };

// A vector as a column of bars, one for each number: right of the middle above zero, left below.
// Narrow columns have their outline alone: fewer strokes, and nothing is lost to the eye.
function column(x, top, widths, gap) {
  const at = x.toFixed(1);
  if (!gap) return `M${at} ${top}${widths.map((wide) => `H${(x + wide).toFixed(1)}v${UNIT}`).join("")}H${at}z`;
  return widths.map((wide, j) => `M${at} ${top + j * UNIT}h${wide.toFixed(1)}v${UNIT - gap}H${at}z`).join("");
}
function bars(vectors, columns, size) {
  const room = columns.wide * 0.44, gap = columns.wide > 24 ? 1 : 0;
  return vectors.map((vector, t) => column(columns.x(t), 0, vector.map((value) => clamp(value / size, -1, 1) * room), gap)).join("");
}

// The same for gates, from the left edge of the column: the outline is the gate, the filling the step.
function gates(vectors, columns) {
  const room = columns.wide * 0.84, gap = columns.wide > 24 ? 1 : 0;
  return vectors.map((vector, t) => column(columns.x(t) - room / 2, 0, vector.map((value) => value * room), gap)).join("");
}

export function columnsOf(steps, width) {
  const wide = Math.min(96, (width - 2 * MARGIN) / Math.max(1, steps));
  return { wide, x: (t) => MARGIN + wide * (t + 0.5), at: (x) => clamp(Math.floor((x - MARGIN) / wide), 0, steps - 1) };
}

// Which bar lies at a height of the answer.
export const barAt = (y) => Math.floor((y - 23) / 26);
// One bar for each evolution; what the chosen one said before the last change is a mark on its bar.
export function answer({ evolution }, { runs, before }, width) {
  const left = 74, right = before === null ? 68 : 164, room = width - left - right;
  const rows = EVOLUTIONS.map((rule, i) => {
    const y = 28 + 26 * i, mine = rule === evolution, p = runs[rule].probability, end = left + p * room;
    const was = mine && before !== null ? tag("path", { class: "was", d: `M${left + before * room} ${y - 3}v22` }) : "";
    const words = mine && before !== null ? `${percent(p, 1)} (was ${percent(before, 1)})` : percent(p, 1);
    return (mine ? tag("rect", { class: "band", x: 0, y: y - 5, width, height: 26, rx: 6 }) : "")
      + label(left - 10, y + 12, NAME_OF[rule], { "text-anchor": "end", class: mine ? "strong" : undefined })
      + tag("rect", { class: "track", x: left, y: y + 2, width: room, height: 12, rx: 3 })
      + tag("g", { class: `series ${rule}` }, tag("rect", { class: mine ? "bar" : "bar faint", x: left, y: y + 2, width: Math.max(1, end - left), height: 12, rx: 3 })
        + marker(LOOK_OF[rule], end, y + 8, mine ? 7 : 5)) + was
      + label(width - right + 12, y + 12, words, { class: mine ? "strong" : undefined });
  }).join("");
  return { marks: label(0, 14, "click probability", { class: "soft" }) + rows, height: 28 + 26 * EVOLUTIONS.length + 6 };
}

const heading = (y, words, more) => tag("text", { x: 8, y, class: "halo" },
  tag("tspan", { class: "strong" }, words) + tag("tspan", { class: "soft", dx: 8 }, more));

// The strip of clicks: the shape is the interest; filled: of the target's interest, as the world knows.
function strip({ history, target, step }, columns, top) {
  const wanted = interestOf(target), every = columns.wide < 22 ? 5 : 1;
  return history.map((item, t) => {
    const interest = interestOf(item), mine = interest === wanted;
    const shape = marker(SHAPES[interest], columns.x(t), top + 9, Math.min(mine ? 6 : 5, columns.wide / 2.4), mine ? {} : { class: "dot open" });
    const number = t === step || (t + 1) % every === 0 ? label(columns.x(t), top + 31, `${t + 1}`, { "text-anchor": "middle", class: t === step ? "strong" : "soft" }) : "";
    return tag("g", { class: `series ${interest}` }, shape) + number;
  }).join("");
}

// Which parts there are, from the clicks down to the last state; a click in one chooses it.
export function stage(state, { runs }, width, part) {
  const { history, evolution } = state, found = runs[evolution], T = history.length;
  const columns = columnsOf(T, width), size = found.features[0].length, block = size * UNIT;
  const step = Math.min(state.step, T - 1), wanted = interestOf(state.target);
  const parts = [], out = [];
  let y = 0;
  const add = (name, tall, words, more, draw) => {
    parts.push({ name, top: y, bottom: y + 24 + tall });
    out.push((name === part ? tag("rect", { class: "chosen", x: 0.75, y: y + 2, width: width - 1.5, height: tall + 24, rx: 6 }) : "")
      + tag("g", { transform: `translate(0 ${y + 22})` }, draw()) + heading(y + 16, words, more));
    y += tall + 28;
  };
  const largest = Math.max(0.2, ...found.behaviours.flat().map(Math.abs));
  const middle = () => range(T).map((t) => line("grid", columns.x(t), 0, columns.x(t), block)).join("");
  const vectors = (list, size, look) => () => middle() + tag("g", { class: `series ${look}` }, tag("path", { class: "bar", d: bars(list, columns, size) }));
  const tallest = Math.max(0.1, ...found.attention);
  const scores = () => found.attention.map((a, t) => {
    const tall = (a / tallest) * 44, wide = Math.min(36, columns.wide * 0.6), x = columns.x(t);
    return tag("rect", { class: "bar", x: x - wide / 2, y: 60 - tall, width: wide, height: Math.max(1, tall) })
      + (columns.wide > 30 || t === step ? label(x, 56 - tall, num(a).replace(/^0/, ""), { "text-anchor": "middle", class: "halo" }) : "");
  }).join("");
  const narrow = width < 480, words = (long, short) => (narrow ? short : long);
  out.push(strip(state, columns, y) + (T ? "" : label(width / 2, y + 20, "no click", { "text-anchor": "middle", class: "soft" })));
  y += 42;
  out.push(label(0, y + 4, words(`filled: ${wanted}, as the target · open: another interest`, `filled: ${wanted}, as the target`), { class: "soft halo" }));
  y += 14;
  add("embedding", block, "embedding", words("of each click: item and category", "of each click"), vectors(found.behaviours, largest, ""));
  add("extractor", block, "interest hₜ", words("what the first GRU holds after the click", "the first GRU's state"), vectors(found.interests, 1, "interest"));
  add("attention", 62, "attention aₜ", words("to the target, sums to 1", "sums to 1"), () => tag("g", { class: "series attention" }, scores()));
  add("gates", block, words("gate and step", "gate, step"), words(`outline: u′ₜ · filled: the share that ${NAME_OF[evolution]} writes`, "outline u′ₜ · filled: step"), () =>
    tag("g", { class: "series update_gate" }, tag("path", { class: "outline", d: gates(found.steps.map(({ update }) => update), columns) })
      + tag("path", { class: "bar", d: gates(found.steps.map(({ written }) => written), columns) })));
  add("evolution", block, "evolved h′ₜ", words("the interest on the way to the target", "towards the target"), vectors(found.evolved, 1, "evolved"));
  const chosen = T ? band(columns.x(step), columns.wide * 0.96, 0, y) : "";
  return { marks: chosen + out.join(""), height: y, columns, parts };
}
