// Recorded learning curves by the weight of the auxiliary loss (chapters 04 and 09).
import { meanAndSpread, range } from "./maths.js";
import { chart, clamp, figure, label, legend, num, tag } from "./kit.js";

const STYLES = ["reset_gate", "update_gate", "candidate", "evolved", "attention", "interest", "aigru", "agru"];

function compute({ curves, epoch, higher }) {
  const lines = Object.entries(curves).map(([name, seeds]) => ({ name, seeds, rows: meanAndSpread(seeds) }));
  const now = lines.map(({ name, rows }) => {
    const last = Math.min(epoch, rows.length - 1);
    return { name, last, ...rows[last] };
  });
  const order = [...now].sort((a, b) => (higher ? b.mean - a.mean : a.mean - b.mean));
  return { lines, now, order, lead: Math.abs(order[0].mean - (order[1] ?? order[0]).mean), epochs: Math.max(...lines.map(({ rows }) => rows.length)) };
}

function draw({ epoch, seeds: single, quantity }, { lines, epochs }, width) {
  const names = legend(lines.map(({ name }, i) => [STYLES[i % STYLES.length], name]), width, 12);
  const values = lines.flatMap(({ seeds }) => seeds.flat());
  const span = Math.max(...values) - Math.min(...values) || 1;
  const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2].find((one) => span / one <= 6) ?? 5;
  const low = Math.floor(Math.min(...values) / step), high = Math.ceil(Math.max(...values) / step);
  const height = names.height + 290;
  const view = chart({ width, height, top: names.height + 30, left: 46, bottom: 42, x: [0.5, Math.max(...lines.flatMap(({ seeds }) => seeds.map((seed) => seed.length))) + 0.5], y: [low * step, high * step] });
  const place = (values) => values.map((value, t) => [t + 1, value]);
  const thin = lines.map(({ seeds }, i) => seeds.map((seed) => view.line(place(seed), STYLES[i % STYLES.length], { marks: false })).join("")).join("");
  const means = lines.map(({ rows }, i) => view.line(place(rows.map(({ mean }) => mean)), STYLES[i % STYLES.length])).join("");
  const spreads = lines.map(({ rows }, i) => tag("g", { class: `series ${STYLES[i % STYLES.length]}` }, rows.map(({ mean, spread }, t) =>
    tag("line", { class: "line", x1: view.px(t + 1), x2: view.px(t + 1), y1: view.py(mean - spread), y2: view.py(mean + spread) })).join(""))).join("");
  const ticks = range(epochs).map((t) => label(view.px(t + 1), height - 24, `${t + 1}`, { "text-anchor": "middle", class: t === epoch ? "strong" : undefined })).join("");
  return {
    ...view, height,
    marks: names.marks + label(4, names.height + 16, quantity, { class: "soft" })
      + tag("line", { class: "band", x1: view.px(epoch + 1), x2: view.px(epoch + 1), y1: view.top, y2: height - 38 })
      + view.grid(range(high - low + 1).map((n) => (low + n) * step), step < 0.01 ? 3 : 2)
      + (single ? tag("g", { class: "thin" }, thin) : spreads) + means + ticks
      + label(width / 2, height - 5, "epoch", { "text-anchor": "middle", class: "soft" }),
  };
}

export function mount(root, model) {
  const ahead = ({ order: [first], lead }, epoch) => `after epoch ${epoch + 1} ${first.name} is ahead, by ${num(lead, 4)}.`;
  const last = (state) => compute(state).epochs - 1;
  return figure(root, model, {
    name: "curves",
    title: "Learning curves, seed by seed",
    keys: ["curves", "quantity", "higher", "epoch", "seeds"],
    compute, draw,
    controls: [
      { kind: "range", key: "epoch", label: "epoch to look at", min: 0, max: 1, step: 1, last, format: (t) => `${t + 1}` },
      { kind: "toggle", key: "seeds", label: "single seeds in the place of the spread" },
    ],
    tries: [
      { text: "go to the last epoch. Who is ahead now, and by how much?", see: (state, result) => ahead(result, state.epoch),
        set: (state) => ({ epoch: last(state) }), done: (state, { epochs }) => state.epoch === epochs - 1 },
      { text: "show the single seeds. Is the lead larger than what a seed is worth?",
        see: (state, { lead, order: [first] }) => `the lead is ${num(lead, 4)}, the spread over seeds ${num(first.spread, 4)}.`,
        set: () => ({ seeds: true }), done: ({ seeds }) => seeds },
    ],
    say: ({ quantity, epoch }, { now, order }) => {
      const parts = now.map(({ name, mean, spread, last: end }) =>
        `${name}: ${num(mean, 4)} ± ${num(spread, 4)}${end === epoch ? "" : ` (epoch ${end + 1}, the last of all its seeds)`}`);
      return `${quantity} after epoch ${epoch + 1}, mean and standard deviation over seeds. ${parts.join("; ")}. Ahead: ${order[0].name}.`;
    },
    table: (state, { lines, epochs }) => ({
      head: ["epoch", ...lines.map(({ name }) => name)],
      rows: range(epochs).map((t) => [`${t + 1}`, ...lines.map(({ rows }) =>
        (rows[t] ? `${num(rows[t].mean, 4)} ± ${num(rows[t].spread, 4)}` : "–"))]),
    }),
    pick: (x, y, state, view) => ({ epoch: clamp(Math.round(view.fromX(x)) - 1, 0, last(state)) }),
  });
}
