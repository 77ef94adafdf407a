// One history and one attention through AIGRU, AGRU and AUGRU on one track (chapters 06, 07, 08).
import { recurrence, softmax } from "./maths.js";
import { band, chart, clamp, clickStrip, figure, label, legend, num, percent, stripHeight, tag } from "./kit.js";

const NAMES = { gru: "GRU", aigru: "AIGRU", agru: "AGRU", augru: "AUGRU", official: "authors' code" };
const BARS = 64; // pixels for the attention between the track and the clicks

function compute(state) {
  const attention = state.mode === "free" ? state.attention
    : softmax(state.scores.map((score) => score * state.concentration));
  const weights = { weightInput: state.weight_input, weightHidden: state.weight_hidden, bias: state.bias };
  const start = state.bias.slice(0, state.bias.length / 3).map(() => 0);
  const tracks = state.rules.map((rule) => {
    const steps = recurrence(rule, state.inputs, attention, weights, start);
    return { rule, written: steps.map((one) => one.written[0]), states: steps.map((one) => one.state[0]) };
  });
  return { attention, tracks };
}

function draw({ clicks, step, relevant }, { attention, tracks }, width) {
  const names = legend(tracks.map(({ rule, states }) => [rule, `${NAMES[rule]}, ends at ${num(states.at(-1))}`]), width, 12);
  const strip = stripHeight(width), height = names.height + 234 + strip + BARS, T = clicks.length;
  const view = chart({ width, height, top: names.height + 12, bottom: strip + BARS + 8, right: 16, x: [0.5, T + 0.5], y: [-1, 1] });
  const gap = view.px(2) - view.px(1), floor = height - strip - 4;
  const bars = attention.map((a, t) => {
    const tall = a * (BARS - 22), x = view.px(t + 1), wide = Math.min(26, gap * 0.6);
    return tag("rect", { class: "bar", x: x - wide / 2, y: floor - tall, width: wide, height: tall })
      + label(x, floor - tall - 5, num(a), { "text-anchor": "middle" });
  }).join("");
  const marks = names.marks
    + band(view.px(step + 1), gap * 0.94, view.top - 6, height - strip + 42)
    + view.grid([-1, -0.5, 0, 0.5, 1])
    + label(0, floor + 1, "aₜ") + tag("g", { class: "series attention" }, bars)
    + tag("line", { class: "axis", x1: view.left, x2: width - 16, y1: floor, y2: floor })
    + tracks.map(({ rule, states }) => view.line([[0.5, 0], ...states.map((h, t) => [t + 1, h])], rule)).join("")
    + clickStrip(clicks, view.px, height - strip, step, width,
      (kind) => (kind === relevant ? " (relevant)" : " (not relevant)"));
  return { ...view, height, marks };
}

// Guided steps name only the rules that are shown.
function tries(rules) {
  const each = (words) => rules.filter((rule) => words[rule]).map((rule) => words[rule]).join(" ");
  const irrelevant = ({ clicks, relevant }) => clicks.findIndex(([, kind]) => kind !== relevant);
  const hard = ({ clicks, relevant }) => clicks.map(([, kind]) => (kind === relevant ? 1 : 0));
  return [
    { text: "set the attention by hand: 1 for photography, 0 for cooking. Does the state stand still at the frying pan?",
      see: each({ aigru: "AIGRU moves: with an input of zero its gate is half open, and its candidate pulls the state towards 0.",
        agru: "AGRU stands still.", augru: "AUGRU stands still.", gru: "The GRU knows no attention.",
        official: "The authors' code takes a whole GRU step there." }),
      set: (state) => ({ mode: "free", attention: hard(state), step: irrelevant(state) }),
      done: ({ mode, attention, step }) => mode === "free" && attention[step] === 0 },
    { text: "slide the attention of the frying pan up to 1. How far can the click move the state now?",
      see: ({ step }, { tracks }) => each({ aigru: "AIGRU takes a GRU step.", agru: "AGRU takes the whole candidate: its own gate has no say.",
        augru: `AUGRU takes a GRU step, no more: its own gate writes ${percent(tracks.find(({ rule }) => rule === "augru")?.written[step] ?? 0)}.`, official: "The authors' code jumps to the candidate." }),
      set: (state) => ({ mode: "free", step: irrelevant(state),
        attention: hard(state).map((a, t) => (t === irrelevant(state) ? 1 : a)) }),
      done: ({ mode, attention, step, clicks, relevant }) => mode === "free" && attention[step] === 1 && clicks[step][1] !== relevant },
    { text: "go back to the softmax and concentrate it: 6. How much can one relevant click write?",
      see: each({ aigru: "AIGRU: inputs scaled to a fifth hardly lift the state.",
        agru: "AGRU: five relevant clicks share the attention, so each writes a fifth.",
        augru: "AUGRU: less than a fifth, because its own gate comes on top.",
        official: "The authors' code: its own gate writes whatever the attention." }),
      set: () => ({ mode: "softmax", concentration: 6 }), done: ({ mode, concentration }) => mode === "softmax" && concentration >= 5 },
  ];
}

export function mount(root, model) {
  const put = (list, step, value) => list.map((old, t) => (t === step ? value : old));
  const free = ({ mode }) => mode === "free", soft = (state) => !free(state);
  return figure(root, model, {
    name: "evolution",
    title: "One history, one attention, different rules",
    keys: ["rules", "clicks", "relevant", "inputs", "weight_input", "weight_hidden", "bias", "mode", "scores",
      "concentration", "attention", "step"],
    glide: ["concentration"],
    compute, draw,
    controls: [
      { kind: "choice", key: "mode", label: "attention:", options: [["softmax", "softmax, sums to 1"], ["free", "set by hand"]] },
      { kind: "range", key: "concentration", label: "concentration of the softmax", min: 0, max: 8, step: 0.1, shown: soft },
      { kind: "range", key: "step", label: "click to look at", min: 0, max: 7, step: 1, last: ({ inputs }) => inputs.length - 1,
        format: (t, { clicks }) => `${t + 1} ${clicks[t][0]}` },
      { kind: "range", label: ({ step }) => `score before the softmax, click ${step + 1}`, min: -3, max: 3, step: 0.1, shown: soft,
        get: ({ scores, step }) => scores[step], set: (value, { scores, step }) => ({ scores: put(scores, step, value) }) },
      { kind: "range", label: ({ step }) => `attention score of click ${step + 1}`, min: 0, max: 1, step: 0.01, digits: 2, shown: free,
        get: ({ attention, step }) => attention[step],
        set: (value, { attention, step }) => ({ attention: put(attention, step, value) }) },
    ],
    tries: tries(model.get("rules")),
    say: ({ clicks, step: t }, { attention, tracks }) => {
      const parts = tracks.map(({ rule, written, states }) =>
        `${NAMES[rule]} writes ${percent(written[t])}, ${num(t ? states[t - 1] : 0)} → ${num(states[t])}`);
      const ends = tracks.map(({ rule, states }) => `${NAMES[rule]} ${num(states.at(-1))}`);
      return `Click ${t + 1}, ${clicks[t][0]} (${clicks[t][1]}), attention ${num(attention[t])}: ${parts.join("; ")}. `
        + `After the last click: ${ends.join(", ")}.`;
    },
    table: ({ clicks }, { attention, tracks }) => ({
      head: ["click", "attention", ...tracks.flatMap(({ rule }) => [`${NAMES[rule]} writes`, `${NAMES[rule]} state`])],
      rows: clicks.map(([title, kind], t) => [`${t + 1} ${title} (${kind})`, num(attention[t], 4),
        ...tracks.flatMap(({ written, states }) => [num(written[t], 4), num(states[t], 4)])]),
    }),
    pick: (x, y, { inputs }, view) => ({ step: clamp(Math.round(view.fromX(x)) - 1, 0, inputs.length - 1) }),
  });
}
