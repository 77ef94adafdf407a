// A list that the reader puts in order: by dragging, by its buttons, or by arrow keys on them.
import { element } from "./kit.js";

export function moved(rows, from, to) {
  const order = [...rows];
  order.splice(to, 0, ...order.splice(from, 1));
  return order;
}

// The list is `state[key]`. It is HTML, so that each row has its buttons. Rows stay, what is written
// in them moves: `row(state, result, place)` is {name, words, value, kind}.
export function sortable(read, change, { key, label, row }) {
  const lines = [];
  const move = (from, to, button) => {
    if (to < 0 || to >= lines.length) return;
    change({ [key]: moved(read()[key], from, to) });
    lines[to].buttons[button]?.focus();
  };
  const node = element("ol", { class: "ranking", "aria-label": label }, ...read()[key].map((_, place) => {
    const [words, value] = [element("span", { class: "ranking-words" }), element("span", { class: "live-value" })];
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
    const line = element("li", {}, grip, words, value, ...buttons);
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
      if (to !== held) change({ [key]: moved(read()[key], held, to) });
      held = to;
    });
    for (const end of ["pointerup", "pointercancel"]) grip.addEventListener(end, () => { held = null; });
    lines.push({ line, words, value, buttons });
    return line;
  }));
  const show = (state, result) => lines.forEach(({ line, words, value, buttons }, place) => {
    const now = row(state, result, place);
    line.className = now.kind ?? "";
    words.replaceChildren(element("strong", {}, now.name), element("span", {}, ` ${now.words}`));
    [value.textContent, value.hidden] = [now.value ?? "", now.value === undefined];
    buttons.forEach((button, i) => {
      button.setAttribute("aria-label", `Move ${now.name} ${i ? "down" : "up"}`);
      button.setAttribute("aria-disabled", `${place === (i ? lines.length - 1 : 0)}`);
    });
  });
  return { node, show };
}
