// A target turned among the interests: scores, softmax, and what padding does (chapter 05).
import { attentionScores, dot, product, range, softmax } from "./maths.js";
import { LOOKS, band, chart, clamp, clickStrip, figure, label, marker, num, percent, stripHeight, tag } from "./kit.js";

const FAR = 6; // the longest target

const direction = (angle) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];

function compute(state) {
  const target = direction(state.angle).map((value) => state.length * value);
  const padded = range(state.padding).map(() => [0, 0]);
  const scores = attentionScores([...state.interests, ...padded], target, state.weight);
  const valid = state.masked ? scores.slice(0, state.interests.length) : scores;
  return { target, scores, attention: [...softmax(valid), ...scores.slice(valid.length).map(() => 0)] };
}

function plane({ clicks, interests, weight, angle, length, step }, side) {
  const view = chart({ width: side, height: side, left: 10, right: 10, top: 10, bottom: 10, x: [-1.3, 1.3], y: [-1.3, 1.3] });
  const at = ([a, b]) => [view.px(a), view.py(b)];
  const tip = at(direction(angle).map((value) => (1.2 * value * length) / FAR));
  const [ox, oy] = at([0, 0]);
  // The score of the chosen click: its shadow on the direction of W e_a, times that vector's length.
  const asks = product(weight, direction(angle)), size = dot(asks, asks) || 1;
  const shadow = asks.map((value) => (value * dot(interests[step], asks)) / size);
  const [hx, hy] = at(interests[step]), [sx, sy] = at(shadow);
  const line = (kind, x1, y1, x2, y2) => tag("line", { class: kind, x1, y1, x2, y2 });
  const names = label(view.px(-1.3), oy + 16, "h₁ photography", { class: "soft" })
    + label(ox + 6, view.py(-1.2), "h₂ cooking", { class: "soft" });
  const away = direction(angle)[0] > 0.4 ? "end" : "middle";
  const arrow = tag("g", { class: "series attention" },
    tag("path", { class: "line arrow", d: `M${ox} ${oy}L${tip[0]} ${tip[1]}` })
    + tag("circle", { class: "hollow", cx: tip[0], cy: tip[1], r: 9 }))
    + label(tip[0], tip[1] + (direction(angle)[1] < 0 ? 26 : -16), "target", { "text-anchor": away, class: "strong" });
  const centre = [0, 1].map((axis) => interests.reduce((sum, h) => sum + h[axis], 0) / interests.length);
  const points = interests.map((h, t) => {
    const [x, y] = at(h), out = h.map((value, axis) => value - centre[axis]), far = Math.hypot(...out) || 1;
    return tag("g", { class: `series ${clicks[t][1]}` }, marker(LOOKS[clicks[t][1]]?.marker ?? "o", x, y, t === step ? 8 : 5))
      + label(x + (15 * out[0]) / far, y + 5 - (15 * out[1]) / far, `${t + 1}`, { "text-anchor": "middle", class: t === step ? "strong" : undefined });
  }).join("");
  const marks = line("axis", view.px(-1.3), oy, view.px(1.3), oy) + line("axis", ox, view.py(-1.3), ox, view.py(1.3)) + names
    + line("limit", hx, hy, sx, sy) + tag("g", { class: "series attention" }, line("line", ox, oy, sx, sy)) + arrow + points;
  return { marks, view, tip };
}

function draw(state, { attention }, width) {
  const { clicks, step, masked } = state, wide = width >= 560;
  const side = wide ? Math.min(300, width * 0.46) : Math.min(300, width);
  const { marks, view, tip } = plane(state, side);
  const offset = wide ? [side + 16, 0] : [0, side + 8], room = width - offset[0];
  const strip = stripHeight(room), steps = attention.length, height = wide ? side : 230;
  const bars = chart({ width: room, height, left: 28, right: 4, top: 16, bottom: strip + 4, x: [0.5, steps + 0.5], y: [0, 1] });
  const gap = bars.px(2) - bars.px(1), floor = bars.py(0);
  const columns = attention.map((a, t) => {
    const x = bars.px(t + 1), wideBar = gap * 0.6, real = t < clicks.length;
    return tag("rect", { class: real ? "bar" : "bar hatched", x: x - wideBar / 2, y: bars.py(a), width: wideBar, height: floor - bars.py(a) })
      + label(x, bars.py(a) - 5, num(a).replace(/^0/, ""), { "text-anchor": "middle" })
      + (real ? "" : label(x, floor + 18, masked ? "off" : "pad", { "text-anchor": "middle", class: "soft" }));
  }).join("");
  const right = band(bars.px(step + 1), gap * 0.9, 0, floor + 40) + bars.grid([0, 0.5, 1])
    + tag("g", { class: "series attention" }, columns)
    + clickStrip(clicks, bars.px, floor + 4, step, room);
  return {
    marks: marks + tag("g", { transform: `translate(${offset})` }, right),
    height: offset[1] + height, plane: view, bars, offset, tip, side,
  };
}

export function mount(root, model) {
  return figure(root, model, {
    name: "attention",
    title: "Turn the target: which interests does it attend to?",
    keys: ["clicks", "interests", "weight", "angle", "length", "padding", "masked", "step"],
    glide: ["angle", "length"],
    compute, draw,
    controls: [
      { kind: "range", key: "angle", label: "direction of the target", min: -180, max: 180, step: 1, format: (v) => `${num(v, 0)}°` },
      { kind: "range", key: "length", label: "length of the target", min: 0, max: FAR, step: 0.1 },
      { kind: "range", key: "step", label: "click to look at", min: 0, max: 7, step: 1, last: ({ interests }) => interests.length - 1,
        format: (t, { clicks }) => `${t + 1} ${clicks[t][0]}` },
      { kind: "toggle", key: "masked", label: "mask: padded steps take no part" },
    ],
    tries: [
      { text: "turn the target to cooking: 90°. Which clicks gain?",
        see: "the states after cooking clicks, 3, 5 and 6, and some of what comes after: a state remembers.",
        set: () => ({ angle: 90 }), done: ({ angle, length }) => angle >= 75 && angle <= 105 && length > 0.5 },
      { text: "shrink the target to length 0. How much attention is given out?",
        see: "still 1 in all, an eighth for each click. A softmax never says that nothing is relevant.",
        set: () => ({ length: 0 }), done: ({ length }) => length === 0 },
      { text: "turn the target away from both interests, −135°, and take the mask off.",
        see: "padding has score 0, the clicks score below it. Steps that never happened take most of the attention.",
        set: () => ({ angle: -135, length: 3, masked: false }),
        done: ({ angle, masked, length }) => !masked && angle < -100 && angle > -170 && length >= 2 },
    ],
    say: ({ clicks, angle, length, step: t }, { scores, attention }) => {
      const kinds = [...new Set(clicks.map(([, kind]) => kind))];
      const held = kinds.map((kind) => `${kind} clicks hold ${percent(
        attention.reduce((sum, a, i) => sum + (clicks[i]?.[1] === kind ? a : 0), 0), 1)} of the attention`);
      const padding = attention.slice(clicks.length).reduce((sum, a) => sum + a, 0);
      return `Target at ${num(angle, 0)}°, length ${num(length, 1)}: ${[...held, `padding ${percent(padding, 1)}`].join(", ")}. `
        + `Click ${t + 1}, ${clicks[t][0]}, has score ${num(scores[t])} and attention ${num(attention[t], 3)}.`;
    },
    table: ({ clicks, interests }, { scores, attention }) => ({
      head: ["click", "h₁", "h₂", "score", "attention"],
      rows: attention.map((a, t) => {
        const [first, second] = interests[t] ?? [0, 0];
        const title = clicks[t] ? `${t + 1} ${clicks[t][0]} (${clicks[t][1]})` : `${t + 1} padding`;
        return [title, num(first), num(second), num(scores[t], 4), num(a, 4)];
      }),
    }),
    handle: {
      place: (state, view) => view.tip,
      move: (x, y, state, { plane: { fromX, fromY } }) => {
        const [a, b] = [fromX(x), fromY(y)];
        return { angle: Math.round((Math.atan2(b, a) * 180) / Math.PI),
          length: clamp(Math.round((Math.hypot(a, b) / 1.2) * FAR * 10) / 10, 0, FAR) };
      },
    },
    pick: (x, y, { interests }, { bars, offset }) => (x < offset[0] || y < offset[1] ? null
      : { step: clamp(Math.round(bars.fromX(x - offset[0])) - 1, 0, interests.length - 1) }),
  });
}
