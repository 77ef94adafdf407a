// A ranked list of shown items: AUC counted pair by pair, GAUC, log loss (chapter 01).
import { auc, gauc, logLoss, sigmoid } from "./maths.js";
import { element, figure, label, num, percent, tag } from "./kit.js";

function compute({ rows, logits, confidence }) {
  const scores = logits.map((logit) => confidence * logit);
  const labels = rows.map(([, , clicked]) => clicked);
  const places = (wanted) => labels.flatMap((clicked, i) => (clicked === wanted ? [i] : []));
  return {
    scores, clicks: places(1), others: places(0),
    auc: auc(labels, scores), gauc: gauc(rows.map(([, user]) => user), labels, scores), loss: logLoss(labels, scores),
  };
}

function moved(rows, from, to) {
  const order = [...rows];
  order.splice(to, 0, ...order.splice(from, 1));
  return order;
}

// A cell for each pair, and the path of the ROC curve: the share of cells below it is the AUC.
function draw({ rows }, { clicks, others, scores }, width) {
  const left = 116, top = 46, cell = Math.min(64, (width - left - 8) / others.length), tall = Math.min(cell, 44);
  const y = (i) => top + (clicks.length - 1 - i) * tall; // the best click at the bottom
  const words = { 1: "✓", 0: "✗", 0.5: "½" };
  const cells = clicks.flatMap((click, i) => others.map((other, j) => {
    const right = scores[click] > scores[other] ? 1 : scores[click] === scores[other] ? 0.5 : 0;
    const same = rows[click][1] === rows[other][1], x = left + j * cell;
    return tag("g", { class: "series update_gate", "data-right": `${right}` },
      tag("rect", { class: `cell right-${right * 2}`, x: x + 2, y: y(i) + 2, width: cell - 4, height: tall - 4, rx: 4 })
      + (same ? tag("rect", { class: "same", x: x + 5, y: y(i) + 5, width: cell - 10, height: tall - 10, rx: 3 }) : ""))
      + label(x + cell / 2, y(i) + tall / 2 + 5, words[right], { "text-anchor": "middle", class: "strong" });
  })).join("");
  let [x, floor] = [left, top + clicks.length * tall], roc = `M${x} ${floor}`;
  rows.forEach(([, , clicked]) => {
    if (clicked) floor -= tall; else x += cell;
    roc += `L${x.toFixed(1)} ${floor.toFixed(1)}`;
  });
  const heads = label(left - 8, top - 26, "non-clicks at place", { class: "soft", "text-anchor": "start" })
    + others.map((place, j) => label(left + (j + 0.5) * cell, top - 8, `${place + 1}`, { "text-anchor": "middle" })).join("")
    + clicks.map((place, i) => label(left - 8, y(i) + tall / 2 + 5, `click at place ${place + 1}`, { "text-anchor": "end" })).join("");
  const height = top + clicks.length * tall + 34;
  return {
    height,
    marks: heads + cells + tag("g", { class: "series interest" }, tag("path", { class: "line path", d: roc }))
      + label(4, height - 8, "line: ROC curve · inner frame: same user", { class: "soft" }),
  };
}

// The list itself: HTML, so that each row has its buttons. Rows stay, what is written in them moves.
function list(rows, read, change) {
  const lines = [];
  const move = (from, to, button) => {
    if (to < 0 || to >= lines.length) return;
    change({ rows: moved(read().rows, from, to) });
    lines[to].buttons[button]?.focus();
  };
  const node = element("ol", { class: "ranking", "aria-label": "The ranking, best first" }, ...rows.map((_, place) => {
    const [words, chance] = [element("span", { class: "ranking-words" }), element("span", { class: "live-value" })];
    const keys = (button) => (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (step) {
        event.preventDefault();
        move(place, place + step, button);
      }
    };
    const buttons = [["▲", -1], ["▼", 1]].map(([sign, step], button) => element("button", {
      type: "button", click: () => move(place, place + step, button), keydown: keys(button),
    }, sign));
    const grip = element("span", { class: "ranking-grip", "aria-hidden": "true" }, "⠿");
    const line = element("li", {}, grip, words, chance, ...buttons);
    let held = null;
    grip.addEventListener("pointerdown", (event) => {
      held = place;
      grip.setPointerCapture(event.pointerId);
    });
    grip.addEventListener("pointermove", (event) => {
      if (held === null) return;
      const tops = lines.map(({ line: { offsetTop, offsetHeight } }) => offsetTop + offsetHeight);
      const y = event.clientY - node.getBoundingClientRect().top + node.offsetTop;
      const to = Math.min(tops.filter((bottom) => bottom < y).length, lines.length - 1);
      if (to !== held) change({ rows: moved(read().rows, held, to) });
      held = to;
    });
    for (const end of ["pointerup", "pointercancel"]) grip.addEventListener(end, () => { held = null; });
    lines.push({ line, words, chance, buttons });
    return line;
  }));
  const show = ({ rows: now }, { scores }) => lines.forEach(({ line, words, chance, buttons }, place) => {
    const [item, user, clicked] = now[place];
    line.className = clicked ? "clicked" : "";
    words.replaceChildren(element("strong", {}, item), element("span", {}, ` user ${user}, ${clicked ? "click ✓" : "no click"}`));
    chance.textContent = percent(sigmoid(scores[place]));
    buttons.forEach((button, i) => {
      button.setAttribute("aria-label", `Move ${item} ${i ? "down" : "up"}`);
      button.setAttribute("aria-disabled", `${place === (i ? lines.length - 1 : 0)}`);
    });
  });
  return { node, show };
}

export function mount(root, model) {
  const byUser = (rows, first) => [...rows.filter(([, user]) => user === first), ...rows.filter(([, user]) => user !== first)];
  const first = ({ rows }, users) => byUser(rows, users).every(([item], i) => item === rows[i][0]);
  const start = model.get("rows");
  return figure(root, model, {
    name: "ranking",
    title: "Move the rows: how good is this ranking?",
    keys: ["rows", "logits", "confidence"],
    glide: ["confidence"],
    compute, draw,
    extra: (read, change) => list(start, read, change),
    controls: [
      { kind: "range", key: "confidence", label: "confidence, a factor on all logits", min: 0, max: 4, step: 0.1 },
    ],
    tries: [
      { text: "move the flash to the top. How many pairs come into order?",
        see: "two: it passes two non-clicks. Passing the zoom lens changes nothing, because that is a click as well.",
        set: ({ rows }) => ({ rows: moved(rows, rows.findIndex(([item]) => item === "flash"), 0) }),
        done: ({ rows }) => rows[0][0] === "flash" },
      { text: "be more confident: 3. Which of the three numbers moves?",
        see: "the log loss alone. AUC and GAUC see the order and nothing else.",
        set: (state, begin) => ({ ...begin, confidence: 3 }), done: ({ confidence }) => confidence >= 2.5 },
      { text: "put all rows of user B on top, in their order. What happens to AUC, and to GAUC?",
        see: "AUC falls, GAUC stays: no user sees another order than before. Nobody compares A's rows with B's.",
        set: (state, begin) => ({ ...begin, rows: byUser(begin.rows, "B") }), done: (state) => first(state, "B") },
    ],
    say: (state, result) => {
      const pairs = result.clicks.length * result.others.length;
      return `${Number((result.auc * pairs).toFixed(1))} of ${pairs} pairs of a click and a non-click are in the right order: `
        + `AUC ${num(result.auc, 3)}. Within users only: GAUC ${num(result.gauc, 3)}. Log loss ${num(result.loss, 3)}.`;
    },
    table: ({ rows }, { scores }) => ({
      head: ["place", "item", "user", "clicked", "probability"],
      rows: rows.map(([item, user, clicked], i) => [`${i + 1}`, item, user, clicked ? "yes" : "no", num(sigmoid(scores[i]), 4)]),
    }),
  });
}
