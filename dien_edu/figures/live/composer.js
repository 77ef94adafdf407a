// Compose a history: the clicks as a row that keyboard, mouse and finger can change.
import { element } from "./kit.js";
import { LONGEST, interestOf, titleOf } from "./network.js";
import { picker, shapeOf } from "./picker.js";

export const inOrder = (history, from, to) => {
  const order = [...history];
  order.splice(to, 0, ...order.splice(from, 1));
  return order;
};

// `edit` changes values and remembers what was before; `look` only changes what is looked at.
export function composer(id, read, edit, look) {
  let drawn = [], chips = [], held = null;
  const last = () => read().history.length - 1;
  const actions = {
    move: (from, to) => { if (from !== to && to >= 0 && to <= last()) edit({ history: inOrder(read().history, from, to), step: to }); },
    remove: (at) => edit({ history: read().history.filter((_, t) => t !== at), step: Math.max(0, Math.min(at, last() - 1)) }),
    add: (item, at = last() + 1) => {
      const { history } = read();
      if (history.length < LONGEST) edit({ history: [...history.slice(0, at), item, ...history.slice(at)], step: at });
    },
  };
  // After a change the focus stands where the reader was; nothing left to stand on: in the search.
  const focus = (at) => requestAnimationFrame(() => (chips[Math.min(at, chips.length - 1)] ?? add.input).focus());

  const row = element("div", { class: "clicks", role: "listbox", "aria-label": "The clicks, oldest first",
    "aria-describedby": `${id}-keys`, "aria-orientation": "horizontal", keydown: (event) => {
      const { step, history } = read(), go = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      const at = Math.min(step, history.length - 1);
      const to = { Home: 0, End: last() }[event.key] ?? Math.min(last(), Math.max(0, at + go));
      if (event.key === "Delete" || event.key === "Backspace") actions.remove(at);
      else if (Number.isNaN(to)) return;
      else if (event.altKey) actions.move(at, to);
      else look({ step: to });
      event.preventDefault();
      focus(event.key === "Delete" || event.key === "Backspace" ? at : to);
    } });
  const empty = element("p", { class: "clicks-none" }, "No click yet: the network knows nothing of this user.");
  const count = element("span", { class: "live-value" });
  const button = (words, call) => element("button", { type: "button", click: (event) => {
    if (event.currentTarget.getAttribute("aria-disabled") === "true") return;
    const { step, history } = read();
    call(Math.min(step, history.length - 1));
    if (!read().history.length) add.input.focus();
  } }, words);
  const tools = {
    earlier: button("◀ earlier", (t) => actions.move(t, t - 1)),
    later: button("later ▶", (t) => actions.move(t, t + 1)),
    repeat: button("repeat", (t) => actions.add(read().history[t], t + 1)),
    remove: button("remove", (t) => actions.remove(t)),
    clear: button("remove all", () => edit({ history: [], step: 0 })),
  };
  const chosen = element("span", { class: "clicks-chosen" });
  const bar = element("div", { class: "clicks-tools", role: "group", "aria-label": "The chosen click" }, chosen, ...Object.values(tools));
  const add = picker({ id: `${id}-add`, name: "Add a click", hint: "search: lens, cooking …", pick: (item) => actions.add(item) });
  const target = picker({ id: `${id}-target`, name: "The item that is shown", hint: "search the catalogue", keep: true,
    pick: (item) => edit({ target: item }) });
  const help = element("p", { class: "composer-keys", id: `${id}-keys` },
    "Arrow keys choose a click, Alt with an arrow key moves it, Delete removes it.");
  const node = element("div", { class: "composer" },
    element("p", { class: "composer-head" }, element("strong", {}, "This user clicked"), " (oldest first) ", count),
    row, empty, help, bar, element("div", { class: "composer-search" }, add.node, target.node));

  // With a mouse a click is dragged to its place; a finger scrolls the page and uses the buttons.
  row.addEventListener("pointerdown", (event) => {
    const at = chips.indexOf(event.target.closest("[role=option]"));
    if (at < 0) return;
    held = event.pointerType === "touch" ? null : at;
    look({ step: at });
  });
  row.addEventListener("pointerover", (event) => {
    const to = chips.indexOf(event.target.closest("[role=option]"));
    if (!event.buttons) held = null;
    if (held === null || to < 0 || to === held) return;
    actions.move(held, to);
    held = to;
  });

  // Only the row scrolls, never the page.
  function inSight(one) {
    const long = row.scrollHeight > row.clientHeight + 1;
    row.classList.toggle("clicks-long", long);
    if (!one || !long) return;
    const [outer, inner] = [row, one].map((node) => node.getBoundingClientRect());
    row.scrollTop += Math.max(0, inner.bottom + 4 - outer.bottom) - Math.max(0, outer.top + 4 - inner.top);
  }

  const made = {}; // one chip for each item of the catalogue that was ever needed, to be copied
  function chip(item, t) {
    const [title, grade] = titleOf(item).replace(")", "").split(" ("), interest = interestOf(item);
    made[item] ??= element("div", { role: "option", tabindex: "-1" }, element("span", { class: "clicks-number" }),
      shapeOf(interest), element("span", {}, title, element("small", {}, `${interest}, ${grade}`)));
    const node = made[item].cloneNode(true);
    node.firstChild.textContent = `${t + 1}`;
    return node;
  }
  function show({ history, step, target: item }) {
    const at = Math.min(step, history.length - 1), had = row.contains(row.getRootNode().activeElement);
    const kept = chips.map((one, t) => (drawn[t] === history[t] ? one : null)); // a swap makes two new ones
    chips = history.map((one, t) => kept[t] ?? chip(one, t));
    if (chips.length !== kept.length || kept.includes(null)) {
      chips.forEach((one, t) => {
        const old = row.children[t];
        if (!old) row.append(one);
        else if (old !== one) old.replaceWith(one);
      });
      while (row.children.length > chips.length) row.lastChild.remove();
      if (had) chips[at]?.focus();
    }
    drawn = history;
    chips.forEach((one, t) => {
      if (one.getAttribute("aria-selected") === `${t === at}`) return;
      one.setAttribute("aria-selected", `${t === at}`);
      one.tabIndex = t === at ? 0 : -1;
    });
    [row.hidden, help.hidden, bar.hidden, empty.hidden] = [!history.length, !history.length, !history.length, history.length > 0];
    requestAnimationFrame(() => inSight(chips[at]));
    count.textContent = `${history.length} of ${LONGEST}`;
    chosen.textContent = history.length ? `click ${at + 1}:` : "";
    const full = history.length >= LONGEST;
    for (const [name, off] of [["earlier", at <= 0], ["later", at >= history.length - 1], ["repeat", full]]) {
      tools[name].setAttribute("aria-disabled", `${off}`);
    }
    add.input.disabled = full;
    add.input.placeholder = full ? "50 clicks: remove one first" : "search: lens, cooking …";
    target.show(item);
  }
  return { node, show };
}
