// A GRU on the eight clicks: move the biases of its gates (chapter 03).
import { memory, recurrence } from "./maths.js";
import { band, chart, clamp, clickStrip, figure, legend, num, percent, stripHeight } from "./kit.js";

const SERIES = [
  ["update_gate", "update gate u", (step) => step.update[0]],
  ["reset_gate", "reset gate r", (step) => step.reset[0]],
  ["candidate", "candidate h̃", (step) => step.candidate[0]],
  ["interest", "state h", (step) => step.state[0]],
];

function compute(state) {
  const weights = {
    weightInput: state.weight_input, weightHidden: state.weight_hidden, bias: [state.update_bias, state.reset_bias, 0],
  };
  const steps = recurrence("gru", state.inputs, state.inputs.map(() => 1), weights, [state.start]);
  return { steps, memory: memory(steps.map((step) => step.update[0])) };
}

function draw({ clicks, step, start }, { steps }, width) {
  const names = legend(SERIES, width, 12);
  const strip = stripHeight(width), height = names.height + 224 + strip, T = steps.length;
  const view = chart({ width, height, top: names.height + 12, bottom: strip + 6, right: 16, x: [0.5, T + 0.5], y: [-1, 1] });
  const room = (view.px(2) - view.px(1)) * 0.9;
  const marks = names.marks
    + band(view.px(step + 1), room, view.top - 6, height - strip + 40)
    + view.grid([-1, -0.5, 0, 0.5, 1])
    + SERIES.map(([look, , get]) => {
      const points = steps.map((one, t) => [t + 1, get(one)]);
      return view.line(look === "interest" ? [[0.5, start], ...points] : points, look);
    }).join("")
    + clickStrip(clicks, view.px, height - strip, step, width);
  return { ...view, height, marks };
}

export function mount(root, model) {
  const bias = (key, label) => ({ kind: "range", key, label, min: -6, max: 6, step: 0.1 });
  return figure(root, model, {
    name: "gates",
    title: "A GRU reads eight clicks: gates, candidate and state",
    keys: ["clicks", "inputs", "weight_input", "weight_hidden", "update_bias", "reset_bias", "start", "step"],
    glide: ["update_bias", "reset_bias", "start"],
    compute, draw,
    controls: [
      bias("update_bias", "bias of the update gate, bᵘ"),
      bias("reset_bias", "bias of the reset gate, bʳ"),
      { kind: "range", key: "start", label: "start state h₀", min: -1, max: 1, step: 0.05, digits: 2 },
      { kind: "range", key: "step", label: "click to look at", min: 0, step: 1, last: ({ inputs }) => inputs.length - 1, max: 7,
        format: (t, { clicks }) => `${t + 1} ${clicks[t][0]}` },
    ],
    tries: [
      { text: "shut the update gate: bᵘ = −4. What can a click still do to the state?",
        see: "every click writes little, so the state moves slowly and averages over many clicks.",
        set: () => ({ update_bias: -4 }), done: ({ update_bias }) => update_bias <= -3.5 },
      { text: "open it: bᵘ = 4. Does the interest in photography survive the frying pan?",
        see: "the state is the candidate, almost. One pan, and most of the photography is gone.",
        set: () => ({ update_bias: 4, step: 2 }), done: ({ update_bias }) => update_bias >= 3.5 },
      { text: "with bᵘ = 0, shut the reset gate: bʳ = −6. Which candidates change?",
        see: "each candidate depends on its click alone: one value for photography, one for cooking.",
        set: () => ({ update_bias: 0, reset_bias: -6 }), done: ({ reset_bias }) => reset_bias <= -5 },
    ],
    say: ({ clicks, step: t, start }, { steps }) => {
      const { update: [u], reset: [r], candidate: [candidate], state: [now] } = steps[t];
      const before = t ? steps[t - 1].state[0] : start;
      return `Click ${t + 1}, ${clicks[t][0]}: the update gate writes ${percent(u)} of the candidate ${num(candidate)} `
        + `and keeps ${percent(1 - u)} of the old state ${num(before)}. The state becomes ${num(now)}. `
        + `The reset gate let ${percent(r)} of the old state into the candidate. `
        + `After the last click the state is ${num(steps.at(-1).state[0])}.`;
    },
    table: ({ clicks }, { steps, memory: shares }) => ({
      head: ["click", "update gate", "reset gate", "candidate", "state", "share in the last"],
      rows: steps.map((one, t) => [`${t + 1} ${clicks[t][0]} (${clicks[t][1]})`,
        ...SERIES.map(([, , get]) => num(get(one), 4)), num(shares[t], 4)]),
    }),
    pick: (x, y, { inputs }, view) => ({ step: clamp(Math.round(view.fromX(x)) - 1, 0, inputs.length - 1) }),
  });
}
