// The explorer's second picture: one part of the network at the chosen click, number by number.
import { range } from "./maths.js";
import { band, chart, clamp, label, line, marker, num, percent, tag } from "./kit.js";
import { NAME_OF, interestOf, titleOf } from "./network.js";
import { columnsOf } from "./stage.js";


// The numbers of an embedding: half of them belong to the item, half to its category.
function embedding({ behaviours }, { history }, step, width) {
  const vector = behaviours[step], half = vector.length / 2, gap = 16, room = (width - gap) / 2;
  const names = [`item: ${titleOf(history[step])}`, `category: ${interestOf(history[step])}`];
  const largest = Math.max(0.2, ...vector.map(Math.abs));
  return { height: 30 + half * 18, marks: names.map((name, i) => {
    const left = i * (room + gap), middle = left + (room - 52) / 2;
    return label(left, 14, width < 480 ? name.split(": ")[1] : name, { class: "soft" }) + line("axis", middle, 22, middle, 22 + half * 18)
      + vector.slice(i * half, (i + 1) * half).map((value, j) => {
        const y = 24 + j * 18, wide = (value / largest) * (room - 56) / 2;
        return tag("g", { class: "series interest" }, tag("rect", { class: "bar", x: Math.min(middle, middle + wide), y, width: Math.abs(wide), height: 12 }))
          + label(left + room, y + 11, num(value), { "text-anchor": "end" });
      }).join("");
  }).join("") };
}

// A step of a recurrence: each number of the state goes a share of the way to its candidate.
function walk(gates, before, look, width) {
  const n = before.length, view = chart({ width, height: 190, left: 38, right: 6, top: 30, bottom: 24, x: [0.3, n + 0.7], y: [-1, 1] });
  const shape = look === "evolved" ? "P" : "D";
  const marks = range(n).map((j) => {
    const x = view.px(j + 1), [from, to, goal] = [before[j], gates.state[j], gates.candidate[j]].map(view.py);
    return line("limit", x, from, x, goal)
      + tag("g", { class: "series candidate" }, marker("^", x, goal, 4, { class: "dot open" }))
      + tag("g", { class: `series ${look}` }, tag("path", { class: "path", d: `M${x} ${from}V${to}` }) + marker(shape, x, to, 4.5)
        + tag("path", { class: "line", d: `M${x - 5} ${from}h10` }))
      + (j % (width < 480 ? 3 : 1) ? "" : label(x, 186, `${j + 1}`, { "text-anchor": "middle", class: "soft" }));
  }).join("");
  const key = tag("g", { class: `series ${look}` }, tag("path", { class: "line", d: "M2 10h12" }) + marker(shape, 78, 10, 5))
    + tag("g", { class: "series candidate" }, marker("^", 142, 10, 5, { class: "dot open" }))
    + label(20, 14, "before", {}) + label(88, 14, "after", {}) + label(152, 14, width < 480 ? "candidate" : "candidate: where it would go with a step of 1", {});
  return { height: 196, marks: key + view.grid([-1, 0, 1], 0) + marks };
}

function scores({ scores: all, attention }, step, width) {
  const columns = columnsOf(all.length, width), largest = Math.max(0.5, ...all.map(Math.abs)), zero = 82;
  const bars = all.map((score, t) => {
    const tall = (score / largest) * 56, wide = Math.min(30, columns.wide * 0.6), x = columns.x(t);
    return tag("rect", { class: "bar", x: x - wide / 2, y: Math.min(zero, zero - tall), width: wide, height: Math.abs(tall) })
      + (columns.wide > 30 || t === step ? label(x, score > 0 ? zero - tall - 5 : zero - tall + 15, num(score, 1), { "text-anchor": "middle", class: "halo" }) : "");
  }).join("");
  const words = `score hₜᵀ W eₐ; then the softmax: ${num(all[step])} becomes ${num(attention[step], 3)}`, few = `score ${num(all[step])}, attention ${num(attention[step], 3)}`;
  return { height: 162, marks: label(0, 14, width < 480 ? few : words, { class: "soft" })
    + band(columns.x(step), columns.wide * 0.94, 22, 158) + line("axis", 0, zero, width, zero) + tag("g", { class: "series attention" }, bars) };
}

// The head: four vectors go in, 200 and 80 units bend them, one number comes out.
function head({ features, first, second, logit, probability }, width) {
  const names = width < 480 ? ["eₐ", "Σ e", "eₐ ∘ Σ e", "h′"] : ["target eₐ", "sum of clicks Σ e", "eₐ ∘ Σ e", "evolved h′"];
  const room = width / 4, unit = 5;
  const row = (values, y, tall, look) => {
    const size = Math.max(1e-9, ...values.map(Math.abs)), wide = width / values.length;
    return line("axis", 0, y, width, y) + tag("g", { class: `series ${look}` }, tag("path", { class: "bar", d: values.map((value, i) =>
      `M${(i * wide).toFixed(1)} ${y}v${((-value / size) * tall).toFixed(1)}h${(wide * 0.7).toFixed(1)}V${y}z`).join("") }));
  };
  const vectors = features.map((vector, i) => {
    const middle = (i + 0.5) * room, size = Math.max(0.2, ...vector.map(Math.abs));
    return label(middle, 14, names[i], { "text-anchor": "middle" }) + line("grid", middle, 22, middle, 22 + vector.length * unit)
      + tag("g", { class: `series ${i === 3 ? "evolved" : "interest"}` }, tag("path", { class: "bar", d: vector.map((value, j) =>
        `M${middle.toFixed(1)} ${22 + j * unit}h${((value / size) * room * 0.42).toFixed(1)}v${unit - 1.2}H${middle.toFixed(1)}z`).join("") }));
  }).join("");
  const y = 22 + features[0].length * unit;
  return { height: y + 152, marks: vectors + label(0, y + 22, `${first.length} units of the first layer`, { class: "soft" }) + row(first, y + 50, 20, "candidate")
    + label(0, y + 88, `${second.length} units of the second`, { class: "soft" }) + row(second, y + 112, 16, "candidate")
    + label(0, y + 144, `log odds ${num(logit)}, and σ(${num(logit)}) = ${percent(probability, 1)}`, { class: "strong" }) };
}

export const PARTS = [["embedding", "embedding"], ["extractor", "extractor GRU"], ["attention", "attention"], ["evolution", "evolution"], ["head", "head"]];

export function detail(state, { runs }, width) {
  const found = runs[state.evolution], step = clamp(state.step, 0, found.attention.length - 1);
  if (state.part === "head") return head(found, width);
  if (!found.attention.length) return { height: 40, marks: label(0, 24, "No click to look at: all of this starts with the first one.", { class: "soft" }) };
  const zeros = found.features[0].map(() => 0);
  if (state.part === "embedding") return embedding(found, state, step, width);
  if (state.part === "attention") return scores(found, step, width);
  if (state.part === "extractor") return walk(found.extracted[step], found.interests[step - 1] ?? zeros, "interest", width);
  return walk(found.steps[step], found.evolved[step - 1] ?? zeros, "evolved", width);
}

export const titleOfDetail = ({ part, history, step, evolution }, width) => {
  const t = Math.min(step, history.length - 1), name = PARTS.find(([key]) => key === part)[1];
  if (part === "head" || t < 0) return `The ${name}`;
  const more = { embedding: "", extractor: ": from hₜ₋₁ to hₜ", attention: ": the scores of all clicks", evolution: `: from h′ₜ₋₁ to h′ₜ by ${NAME_OF[evolution]}` };
  return `Click ${t + 1}, ${name}${width < 480 ? "" : more[part]}`;
};
