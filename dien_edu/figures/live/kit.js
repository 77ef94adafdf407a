// What every figure shares: the frame around the picture, its controls, its words, and drawing in
// CSS pixels. A figure gives a `spec`; this file never computes a number of the model.
import { range } from "./maths.js";

// Words

export function num(value, digits = 2) {
  const text = value.toFixed(digits);
  return text.replace("-", Number(text) === 0 ? "" : "−");
}
export const percent = (value, digits = 0) => `${num(100 * value, digits)}\u00a0%`;
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const escape = (words) =>
  String(words).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== false && value !== undefined) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// Marks: strings of SVG. Series differ in dash and marker, not only in colour (dien_edu.figures.style).

export const LOOKS = {
  update_gate: { dash: "", marker: "o" },
  reset_gate: { dash: "7 4", marker: "s" },
  candidate: { dash: "9 3 2 3", marker: "^" },
  interest: { dash: "", marker: "D" },
  attention: { dash: "2 4", marker: "v" },
  evolved: { dash: "", marker: "P" },
  base: { dash: "2 4", marker: "x" },
  din: { dash: "7 4", marker: "s" },
  gru_attention: { dash: "9 3 2 3", marker: "^" },
  aigru: { dash: "7 2", marker: "v" },
  agru: { dash: "5 2 1 2 1 2", marker: "<" },
  augru: { dash: "", marker: "P" },
  dien: { dash: "", marker: "D" },
  gru: { dash: "2 3", marker: "D" },
  official: { dash: "2 4", marker: "x" },
  photography: { dash: "", marker: "o" },
  cooking: { dash: "", marker: "s" },
};

export function tag(name, attributes, inside = "") {
  const pairs = Object.entries(attributes).filter(([, value]) => value !== undefined);
  const round = (value) => (typeof value === "number" ? Math.round(value * 10) / 10 : escape(value));
  return `<${name} ${pairs.map(([key, value]) => `${key}="${round(value)}"`).join(" ")}>${inside}</${name}>`;
}
export const label = (x, y, words, more = {}) => tag("text", { x, y, ...more }, escape(words));
export const line = (kind, x1, y1, x2, y2) => tag("line", { class: kind, x1, y1, x2, y2 });
export const path = (points) =>
  points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

const OUTLINES = {
  o: (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  s: (r) => `M${-r} ${-r}H${r}V${r}H${-r}z`,
  D: (r) => `M0 ${-1.3 * r}L${1.3 * r} 0L0 ${1.3 * r}L${-1.3 * r} 0z`,
  "^": (r) => `M0 ${-1.2 * r}L${1.2 * r} ${r}H${-1.2 * r}z`,
  v: (r) => `M0 ${1.2 * r}L${1.2 * r} ${-r}H${-1.2 * r}z`,
  "<": (r) => `M${-1.2 * r} 0L${r} ${1.2 * r}V${-1.2 * r}z`,
  P: (r) => `M${-r / 2} ${-1.3 * r}h${r}v${0.8 * r}h${0.8 * r}v${r}h${-0.8 * r}v${0.8 * r}h${-r}v${-0.8 * r}h${-0.8 * r}v${-r}h${0.8 * r}z`,
  x: (r) => `M${-r} ${-r}L${r} ${r}M${-r} ${r}L${r} ${-r}`,
  ">": (r) => `M${1.2 * r} 0L${-r} ${1.2 * r}V${-1.2 * r}z`,
  p: (r) => corners(r, 5),
  h: (r) => corners(r, 6),
  d: (r) => `M0 ${-1.4 * r}L${0.8 * r} 0L0 ${1.4 * r}L${-0.8 * r} 0z`,
  "*": (r) => corners(1.3 * r, 10, 0.45),
  X: (r) => corners(1.3 * r, 8, 0.5),
};
const corners = (r, n, inner = 1) => path(range(n).map((i) => {
  const far = i % 2 ? inner * r : r, turn = (2 * Math.PI * i) / n;
  return [far * Math.sin(turn), -far * Math.cos(turn)];
})) + "z";
export const marker = (shape, x, y, r = 4, more = {}) =>
  tag("path", { class: "dot", d: OUTLINES[shape](r), transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`, ...more });

// Scales of one chart, its grid, and lines with markers.
export function chart({ width, height, left = 38, right = 12, top = 10, bottom = 26, x, y }) {
  const px = (value) => left + ((value - x[0]) / (x[1] - x[0])) * (width - left - right);
  const py = (value) => height - bottom - ((value - y[0]) / (y[1] - y[0])) * (height - top - bottom);
  return {
    px, py, width, height, left, right, top, bottom,
    fromX: (pixel) => x[0] + ((pixel - left) / (width - left - right)) * (x[1] - x[0]),
    fromY: (pixel) => y[0] + ((height - bottom - pixel) / (height - top - bottom)) * (y[1] - y[0]),
    grid: (values, digits = 1) => values.map((value) =>
      tag("line", { class: value === 0 ? "axis" : "grid", x1: left, x2: width - right, y1: py(value), y2: py(value) })
      + label(left - 6, py(value) + 4, num(value, digits), { "text-anchor": "end" })).join(""),
    line: (points, look, { size = 4, marks = true } = {}) => tag("g", { class: `series ${look}`, "data-series": look },
      tag("path", { class: "line", d: path(points.map(([a, b]) => [px(a), py(b)])), "stroke-dasharray": LOOKS[look].dash })
      + (marks ? points.map(([a, b]) => marker(LOOKS[look].marker, px(a), py(b), size)).join("") : "")),
  };
}

// A key to the lines: marker, dash and name in a row, broken where the width ends.
export function legend(entries, width, top, lines = true) {
  let x = 4, row = 0;
  const marks = entries.map(([look, words]) => {
    const room = (lines ? 48 : 32) + 7 * words.length;
    if (x + room > width && x > 4) [x, row] = [4, row + 1];
    const y = top + 20 * row;
    const entry = tag("g", { class: `series ${look}` },
      (lines ? tag("path", { class: "line", d: path([[x, y], [x + 26, y]]), "stroke-dasharray": LOOKS[look].dash }) : "")
      + marker(LOOKS[look].marker, x + (lines ? 13 : 4), y)) + label(x + (lines ? 32 : 14), y + 4, words);
    x += room;
    return entry;
  }).join("");
  return { marks, height: 20 * (row + 1) };
}

// The clicks under a chart: a marker of the interest's shape, the step, and a key.
export const stripHeight = (width) => (width < 420 ? 86 : 66);
export function clickStrip(clicks, px, top, chosen, width, note = () => "") {
  const marks = clicks.map(([, kind], t) =>
    tag("g", { class: `series ${kind}` }, marker(LOOKS[kind]?.marker ?? "o", px(t + 1), top + 10, t === chosen ? 7 : 5))
    + label(px(t + 1), top + 31, `${t + 1}`, { "text-anchor": "middle", class: t === chosen ? "strong" : undefined })).join("");
  const kinds = [...new Set(clicks.map(([, kind]) => kind))];
  return marks + legend(kinds.map((kind) => [kind, kind + note(kind)]), width, top + 52, false).marks;
}

// A band behind the chosen step.
export const band = (x, room, top, bottom) =>
  tag("rect", { class: "band", x: x - room / 2, y: top, width: room, height: bottom - top, rx: 6 });

// The frame

let count = 0;
const SPEAK_AFTER = 500; // milliseconds without a change: results are spoken, ticks are not

const makers = {
  range(control, change) {
    const id = `live-${(count += 1)}`;
    const input = element("input", {
      type: "range", id, min: control.min, max: control.max, step: control.step,
      input: () => change(Number(input.value)),
    });
    const value = element("span", { class: "live-value", "aria-hidden": "true" });
    const name = element("label", { for: id });
    const node = element("div", { class: "live-control" }, name, input, value);
    const show = (now, state) => {
      name.textContent = typeof control.label === "function" ? control.label(state) : control.label;
      if (control.last) input.max = control.last(state);
      input.value = now;
      value.textContent = control.format ? control.format(now, state) : num(now, control.digits ?? 1);
      input.setAttribute("aria-valuetext", value.textContent);
    };
    return { node, show };
  },
  toggle(control, change) {
    const id = `live-${(count += 1)}`;
    const input = element("input", { type: "checkbox", id, change: () => change(input.checked) });
    const node = element("div", { class: "live-control live-toggle" }, input, element("label", { for: id }, control.label));
    return { node, show: (now) => { input.checked = now; } };
  },
  choice(control, change) {
    const group = `live-${(count += 1)}`;
    const inputs = control.options.map(([value]) => element("input", {
      type: "radio", name: group, id: `${group}-${value}`, value, change: () => change(value),
    }));
    const node = element("fieldset", { class: "live-control live-choice" }, element("legend", {}, control.label),
      ...control.options.map(([value, words], i) =>
        element("span", {}, inputs[i], element("label", { for: `${group}-${value}` }, words))));
    return { node, show: (now) => inputs.forEach((input) => { input.checked = input.value === now; }) };
  },
};

function tableNode({ head, rows }, caption) {
  const cell = (words, i) => element(i ? "td" : "th", i ? {} : { scope: "row" }, words);
  return element("table", {}, element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head.map((words) => element("th", { scope: "col" }, words)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(cell)))));
}

// spec: name, title, keys, controls, tries, compute(state), draw(state, result, width), say, table;
// where the picture reacts to a pointer: handle {place, move}, pick; and nodes of the figure's own
// above and below the picture: lead, extra. `above`: the controls stand above the picture, so that a
// phone shows them first. A table, or each of several, is {caption, head, rows}.
export function figure(root, model, spec) {
  const read = () => Object.fromEntries(spec.keys.map((key) => [key, model.get(key)]));
  const start = structuredClone(read());
  const write = (patch, save = true) => {
    for (const [key, value] of Object.entries(patch)) model.set(key, value);
    if (save) model.save_changes();
  };

  // Where a guided step leads: numbers glide there, unless the reader prefers no motion.
  let flight = 0;
  const go = (patch) => {
    const from = read(), mine = (flight += 1), begin = performance.now();
    const moving = (spec.glide ?? []).filter((key) => key in patch && patch[key] !== from[key]);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches || !moving.length) return write(patch);
    const frame = (time) => {
      if (mine !== flight) return;
      const part = clamp((time - begin) / 500, 0, 1), ease = part * part * (3 - 2 * part);
      const between = Object.fromEntries(moving.map((key) => [key, from[key] + ease * (patch[key] - from[key])]));
      write(part < 1 ? between : patch, part === 1);
      if (part < 1) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  };
  const change = (patch) => {
    flight += 1;
    write(patch);
  };

  const id = `live-${(count += 1)}`;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("role", "img");
  svg.innerHTML = '<g class="picture"></g>' + (spec.handle ? '<circle class="handle" r="22"></circle>' : "");
  const [picture, handle] = svg.children;
  const canvas = element("div", { class: "live-canvas" }, svg);

  const own = [spec.lead, spec.extra].map((make) => make?.(read, change)); // {node, show}
  const [lead, extra] = own.map((made) => (made ? [made.node] : []));
  const controls = (spec.controls ?? []).map((control) => {
    const put = control.set ?? ((value) => ({ [control.key]: value }));
    const get = control.get ?? ((state) => state[control.key]);
    return { control, get, ...makers[control.kind](control, (value) => change(put(value, read()))) };
  });
  const tries = (spec.tries ?? []).map((step, i) => {
    const see = element("p", { class: "live-see", hidden: true }, element("strong", {}, "See: "), element("span"));
    const mark = element("span", { class: "live-done" });
    const node = element("li", {}, element("p", {}, element("strong", {}, "Try: "), step.text, " ",
      element("button", { type: "button", click: () => {
        one.asked = true;
        go(step.set(read(), start));
        soon();
      } }, "Show me",
        element("span", { class: "live-hidden" }, ` step ${i + 1}`)), mark), see);
    const one = { step, node, see, mark, asked: false };
    return one;
  });
  const reset = element("button", { type: "button", click: () => {
    for (const one of tries) [one.see.hidden, one.mark.textContent, one.asked] = [true, "", false];
    go(start);
    soon();
  } }, "Start again");
  const shown = element("p", { class: "live-say", "aria-hidden": "true" });
  const spoken = element("output", { class: "live-hidden", "aria-live": "polite" });
  const numbers = element("div", { class: "live-numbers", tabindex: 0, role: "region", "aria-label": `${spec.title}: the numbers` });
  const details = element("details", { toggle: () => draw() },
    element("summary", { "aria-keyshortcuts": "t" }, "The numbers in a table (key T)"), numbers);
  const panel = element("div", { class: "live-controls" }, ...controls.map(({ node }) => node));
  const [first, then] = spec.above ? [[panel], []] : [[], [panel]];
  const box = element("figure", {
    class: `live live-${spec.name}`, role: "group", "aria-labelledby": id,
    keydown: (event) => {
      event.stopPropagation(); // or JupyterLab takes the arrow keys
      if (event.target.matches("input[type=text]")) return; // there a t is a letter
      if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey) details.open = !details.open;
    },
  },
    element("figcaption", { id }, spec.title), ...lead, ...first, canvas, ...extra, shown, spoken, ...then,
    element("ol", { class: "live-tries", "aria-label": "Guided steps" }, ...tries.map(({ node }) => node)),
    element("div", { class: "live-foot" }, details, reset));

  let view, timer, said, news = "";
  function draw() {
    const state = read(), result = spec.compute(state);
    const width = Math.floor(canvas.clientWidth) || 600;
    view = spec.draw(state, result, width);
    for (const [key, value] of [["width", width], ["height", view.height], ["viewBox", `0 0 ${width} ${view.height}`]]) {
      svg.setAttribute(key, value);
    }
    picture.innerHTML = view.marks;
    if (handle) ["cx", "cy"].forEach((key, i) => handle.setAttribute(key, spec.handle.place(state, view)[i]));
    own.forEach((made) => made?.show(state, result));
    for (const { control, get, node, show } of controls) {
      node.hidden = control.shown ? !control.shown(state) : false;
      show(get(state), state);
    }
    if (details.open) {
      const tables = [spec.table(state, result)].flat();
      numbers.replaceChildren(...tables.map((table) => tableNode(table, table.caption ?? spec.title)));
    }
    const words = spec.say(state, result);
    shown.textContent = words;
    svg.setAttribute("aria-label", words);
    for (const one of tries) {
      const { step, see, mark } = one, done = step.done(state, result);
      one.asked ||= !done; // a step that holds from the start has to be asked for, or left first
      if (see.hidden && done && one.asked) {
        [see.hidden, mark.textContent] = [false, " ✓ done"];
        see.lastChild.textContent = typeof step.see === "function" ? step.see(state, result) : step.see;
        news += ` ${see.textContent}`;
      }
    }
    if (said !== undefined && (words !== said || news)) {
      clearTimeout(timer);
      timer = setTimeout(() => {
        spoken.textContent = words + news;
        news = "";
      }, SPEAK_AFTER);
    }
    said = words;
  }
  let waiting = false;
  const soon = () => { // one drawing for all values that change together
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => { waiting = false; draw(); });
  };
  spec.keys.forEach((key) => model.on(`change:${key}`, soon));

  const place = (event) => {
    const frame = svg.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };
  if (handle) {
    let held = false;
    const move = (event) => { if (held) change(spec.handle.move(...place(event), read(), view)); };
    handle.addEventListener("pointerdown", (event) => { held = true; handle.setPointerCapture(event.pointerId); });
    handle.addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"]) handle.addEventListener(end, () => { held = false; });
  }
  if (spec.pick) svg.addEventListener("click", (event) => {
    const patch = spec.pick(...place(event), read(), view);
    if (patch) change(patch);
  });

  dress(root);
  root.replaceChildren(box);
  draw();
  const watch = new ResizeObserver(() => soon());
  watch.observe(canvas);
  return () => watch.disconnect();
}

// The style sheet, once in a page.
function dress(root) {
  const home = root.getRootNode() === document ? document.head : root.getRootNode();
  if (!home.querySelector("style[data-live]")) home.append(element("style", { "data-live": true }, STYLE));
}

// In a page without a kernel: the part of an anywidget model that the figures use.
export function localModel(state) {
  const values = { ...state }, listeners = {};
  return {
    get: (key) => values[key],
    set: (key, value) => { values[key] = value; listeners[`change:${key}`]?.forEach((call) => call()); },
    save_changes: () => {},
    on: (event, call) => { (listeners[event] ??= []).push(call); },
  };
}

export const figures = {};
export function define(name, mount) {
  figures[name] = (root, model) => mount(root, model);
  if (customElements.get(`${name}-figure`)) return;
  customElements.define(`${name}-figure`, class extends HTMLElement {
    connectedCallback() {
      if (!this.isConnected || this.model) return;
      this.model = localModel(JSON.parse(this.getAttribute("state")));
      mount(this, this.model);
    }
  });
}
