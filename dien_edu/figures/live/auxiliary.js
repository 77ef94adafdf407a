// One state among the next click and some non-clicks: the auxiliary loss (chapter 04).
import { auxiliaryPulls, auxiliaryTerms, dot, logSigmoid, range } from "./maths.js";
import { chart, clamp, figure, label, marker, num, path, tag } from "./kit.js";

const FAR = 2.5; // the state stays within this square

function compute({ click, others, x, y }) {
  const h = [x, y], at = (item) => item.slice(1);
  const terms = auxiliaryTerms(h, at(click), others.map(at));
  const mean = terms.others.reduce((sum, term) => sum + term, 0) / others.length;
  return {
    similarities: [click, ...others].map((item) => dot(h, at(item))), terms, loss: terms.click + mean,
    worst: terms.others.indexOf(Math.max(...terms.others)), pulls: auxiliaryPulls(h, at(click), others.map(at)),
  };
}

const arrow = (look, [x0, y0], [x1, y1], more = {}) => {
  const long = Math.hypot(x1 - x0, y1 - y0);
  if (long < 3) return "";
  const [a, b] = [(x1 - x0) / long, (y1 - y0) / long], head = Math.min(8, long);
  const wing = (side) => [x1 - head * a + (side * head * b) / 2, y1 - head * b - (side * head * a) / 2];
  return tag("g", { class: `series ${look}` }, tag("path", { class: "line", d: path([[x0, y0], [x1, y1]]), ...more })
    + tag("path", { class: "line", d: path([wing(1), [x1, y1], wing(-1)]) }));
};

function plane({ click, others, x, y }, { worst, pulls }, side) {
  const view = chart({ width: side, height: side, left: 4, right: 4, top: 4, bottom: 4, x: [-FAR, FAR], y: [-FAR, FAR] });
  const at = ([a, b]) => [view.px(a), view.py(b)];
  const axes = [[[-FAR, 0], [FAR, 0]], [[0, -FAR], [0, FAR]]].map(([from, to]) => {
    const [[x1, y1], [x2, y2]] = [at(from), at(to)];
    return tag("line", { class: "axis", x1, y1, x2, y2 });
  }).join("");
  const items = [click, ...others].map(([title, ...place], n) => {
    const [px, py] = at(place), hurts = n - 1 === worst;
    const look = n ? "reset_gate" : "update_gate", left = px + 16 + 7.4 * title.length > side;
    return tag("g", { class: `series ${look}` }, marker(n ? "s" : "o", px, py, hurts ? 8 : 6, n ? { class: "hollow" } : {}))
      + label(left ? side - 4 : px + 12, left ? py - 12 : py + 5, title, { "text-anchor": left ? "end" : "start", class: n && !hurts ? undefined : "strong" });
  }).join("");
  const tip = at([x, y]), go = ([a, b]) => at([x + a, y + b]);
  const forces = arrow("update_gate", tip, go(pulls.click))
    + pulls.others.map((push) => arrow("reset_gate", tip, go(push), { "stroke-dasharray": "5 3" })).join("");
  const state = arrow("interest", at([0, 0]), tip) + tag("g", { class: "series interest" }, marker("D", ...tip, 6))
    + label(tip[0], tip[1] - 14, "h", { "text-anchor": "middle", class: "strong" });
  const key = ["arrows at h: the click pulls (solid),", "non-clicks push (dashed)"].map((words, i) =>
    label(4, side - 22 + 17 * i, words, { class: "soft" })).join("");
  return { marks: axes + key + items + state + forces, view, tip };
}

// The two terms as curves, and each item at its similarity.
function curves({ click, others }, { similarities, terms, worst }, width, height) {
  const view = chart({ width, height, left: 28, right: 8, top: 24, bottom: 40, x: [-4, 4], y: [0, 4] });
  const xs = range(81).map((i) => -4 + i / 10);
  const names = label(view.px(-4) + 4, 14, "click: −log σ", { class: "soft" })
    + label(view.px(4), 14, "non-click: −log(1 − σ)", { "text-anchor": "end", class: "soft" });
  const points = [click, ...others].map(([title], n) => {
    const s = clamp(similarities[n], -4, 4), term = Math.min(4, n ? terms.others[n - 1] : terms.click), hurts = n - 1 === worst;
    const back = n ? s > -1 : s > 1.5; // on which side of the mark its name has room
    return tag("g", { class: `series ${n ? "reset_gate" : "update_gate"}` },
      marker(n ? "s" : "o", view.px(s), view.py(term), hurts ? 8 : 6, n ? { class: "hollow" } : {}))
      + (n === 0 || hurts ? label(view.px(s) + (back ? -12 : 12), view.py(term) - 6, title,
        { class: "strong halo", "text-anchor": back ? "end" : "start" }) : "");
  }).join("");
  return view.grid([0, 1, 2, 3, 4], 0) + names
    + view.line(xs.map((s) => [s, -logSigmoid(s)]), "update_gate", { marks: false })
    + view.line(xs.map((s) => [s, -logSigmoid(-s)]), "reset_gate", { marks: false })
    + points + [-4, -2, 0, 2, 4].map((s) => label(view.px(s), height - 22, num(s, 0), { "text-anchor": "middle" })).join("")
    + label(view.px(0), height - 4, "similarity, [h, e]", { "text-anchor": "middle", class: "soft" });
}

function draw(state, result, width) {
  const wide = width >= 560, side = Math.min(320, wide ? width * 0.48 : width);
  const { marks, view, tip } = plane(state, result, side);
  const offset = wide ? [side + 16, 0] : [0, side + 8], height = wide ? side : 230;
  return {
    height: offset[1] + height, plane: view, tip,
    marks: marks + tag("g", { transform: `translate(${offset})` }, curves(state, result, width - offset[0], height)),
  };
}

export function mount(root, model) {
  const near = (a, b) => Math.abs(a - b) < 0.25;
  const axis = (key, words) => ({ kind: "range", key, label: words, min: -FAR, max: FAR, step: 0.1 });
  return figure(root, model, {
    name: "auxiliary",
    title: "Move the state: which non-click hurts?",
    keys: ["click", "others", "x", "y"],
    glide: ["x", "y"],
    compute, draw,
    controls: [axis("x", "state, first entry"), axis("y", "state, second entry")],
    tries: [
      { text: "move the state to (0, 0). What does a state that knows nothing cost?",
        see: "every similarity is 0, every term log 2, and the loss log 4 = 1.386: guessing.",
        set: () => ({ x: 0, y: 0 }), done: ({ x, y }) => x === 0 && y === 0 },
      { text: "go far towards the click: (2.4, −0.4). Which non-click keeps the loss up?",
        see: "the camera strap. It lies in the click's own direction, so what lowers the one term raises the other.",
        set: () => ({ x: 2.4, y: -0.4 }), done: ({ x, y }) => x >= 2 && near(y, -0.4) },
      { text: "turn away from the strap and keep the tripod: (1.6, −2.2). What has the state learned now?",
        see: "what tells two items of one interest apart. An easy non-click, such as the novel, could not have taught that.",
        set: () => ({ x: 1.6, y: -2.2 }), done: ({ x, y }) => near(x, 1.6) && y <= -2 },
    ],
    say: ({ click, others, x, y }, { terms, loss, worst }) =>
      `State (${num(x, 1)}, ${num(y, 1)}): the loss is ${num(loss, 3)}, and guessing has 1.386. `
      + `The click, ${click[0]}, costs ${num(terms.click)}. `
      + (Math.max(...terms.others) - Math.min(...terms.others) < 1e-9 ? `Every non-click costs ${num(terms.others[0])}.`
        : `Of the non-clicks the ${others[worst][0]} hurts most: ${num(terms.others[worst])}.`),
    table: ({ click, others }, { similarities, terms }) => ({
      head: ["item", "e₁", "e₂", "similarity", "loss"],
      rows: [click, ...others].map(([title, a, b], n) => [`${title} (${n ? "non-click" : "click"})`, num(a), num(b),
        num(similarities[n], 4), num(n ? terms.others[n - 1] : terms.click, 4)]),
    }),
    handle: {
      place: (state, view) => view.tip,
      move: (px, py, state, { plane: { fromX, fromY } }) => ({
        x: clamp(Math.round(fromX(px) * 10) / 10, -FAR, FAR), y: clamp(Math.round(fromY(py) * 10) / 10, -FAR, FAR),
      }),
    },
  });
}
