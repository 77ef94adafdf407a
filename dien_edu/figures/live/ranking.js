// A ranked list of shown items: AUC counted pair by pair, GAUC, log loss (chapter 01).
import { auc, gauc, logLoss, sigmoid } from "./maths.js";
import { figure, label, num, percent, tag } from "./kit.js";
import { moved, sortable } from "./sortable.js";

function compute({ rows, logits, confidence }) {
  const scores = logits.map((logit) => confidence * logit);
  const labels = rows.map(([, , clicked]) => clicked);
  const places = (wanted) => labels.flatMap((clicked, i) => (clicked === wanted ? [i] : []));
  return {
    scores, clicks: places(1), others: places(0),
    auc: auc(labels, scores), gauc: gauc(rows.map(([, user]) => user), labels, scores), loss: logLoss(labels, scores),
  };
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

const row = ({ rows }, { scores }, place) => {
  const [name, user, clicked] = rows[place];
  return {
    name, words: `user ${user}, ${clicked ? "click ✓" : "no click"}`,
    value: percent(sigmoid(scores[place])), kind: clicked ? "clicked" : "",
  };
};

export function mount(root, model) {
  const byUser = (rows, first) => [...rows.filter(([, user]) => user === first), ...rows.filter(([, user]) => user !== first)];
  const first = ({ rows }, users) => byUser(rows, users).every(([item], i) => item === rows[i][0]);
  return figure(root, model, {
    name: "ranking",
    title: "Move the rows: how good is this ranking?",
    keys: ["rows", "logits", "confidence"],
    glide: ["confidence"],
    compute, draw,
    extra: (read, change) => sortable(read, change, { key: "rows", label: "The ranking, best first", row }),
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
