// A search in the catalogue: a text field with a list that opens below it (an ARIA combobox).
import { element, marker, tag } from "./kit.js";
import { ITEMS, interestOf, titleOf } from "./network.js";

// Each interest has a shape of its own, filled in the page's strips where it is the target's.
export const SHAPES = { photography: "o", cooking: "s", cycling: "^", gardening: "v", running: ">", music: "D", camping: "p",
  painting: "*", coffee: "P", woodwork: "h", astronomy: "X", sewing: "d" };

export function shapeOf(interest, size = 5) {
  const box = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of [["width", 16], ["height", 16], ["aria-hidden", "true"]]) box.setAttribute(key, value);
  box.innerHTML = tag("g", { class: `series ${interest}` }, marker(SHAPES[interest], 8, 8, size));
  return box;
}

// Items whose title or interest has every word that was typed.
function found(words) {
  const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
  return ITEMS.flatMap(([title], item) => {
    if (!item) return [];
    const text = `${title} ${interestOf(item)}`.toLowerCase();
    return parts.every((part) => text.includes(part)) ? [item] : [];
  });
}

// `pick(item)` is called with the choice; `keep` shows the choice in the field, else it empties.
export function picker({ id, name, hint, keep, pick }) {
  let options = [], active = 0, current = "", chosen;
  const input = element("input", {
    type: "text", id, role: "combobox", autocomplete: "off", spellcheck: "false", placeholder: hint,
    "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": `${id}-list`,
    input: () => open(input.value), focus: () => input.select(), blur: () => close(),
    click: () => { if (list.hidden) open(""); },
    keydown: (event) => keys[event.key]?.(event),
  });
  // A press in the list must not take the focus from the field: that would close it before the click.
  const list = element("ul", { id: `${id}-list`, role: "listbox", "aria-label": name, hidden: true,
    pointerdown: (event) => event.preventDefault(), mousedown: (event) => event.preventDefault() });
  const none = element("p", { class: "picker-none", role: "status" });
  const node = element("div", { class: "picker" }, element("label", { for: id }, name), input, list, none);

  function close() {
    list.hidden = true;
    none.textContent = "";
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    input.value = current;
  }
  function choose(place) {
    const item = options[place];
    if (item === undefined) return;
    close();
    pick(item);
  }
  function mark(place) {
    active = (place + options.length) % options.length;
    [...list.children].forEach((line, i) => line.setAttribute("aria-selected", `${i === active}`));
    input.setAttribute("aria-activedescendant", list.children[active].id);
    const line = list.children[active];
    list.scrollTop = Math.min(line.offsetTop, Math.max(list.scrollTop, line.offsetTop + line.offsetHeight - list.clientHeight));
  }
  function open(words) {
    options = found(words);
    list.replaceChildren(...options.map((item, place) => element("li", {
      role: "option", id: `${id}-${item}`, "aria-selected": "false", click: () => choose(place),
    }, shapeOf(interestOf(item)), element("span", {}, titleOf(item)), element("small", {}, interestOf(item)))));
    list.hidden = !options.length;
    none.textContent = options.length ? "" : `Nothing in the catalogue matches “${words}”.`;
    input.setAttribute("aria-expanded", `${!list.hidden}`);
    if (options.length) mark(words ? 0 : Math.max(0, options.indexOf(chosen)));
    else input.removeAttribute("aria-activedescendant");
  }
  const step = (by) => (event) => {
    event.preventDefault();
    if (list.hidden) open("");
    else mark(active + by);
  };
  const keys = {
    ArrowDown: step(1), ArrowUp: step(-1),
    Enter: (event) => { event.preventDefault(); if (list.hidden) open(""); else choose(active); },
    Escape: (event) => { if (!list.hidden || input.value !== current) { event.preventDefault(); close(); } },
  };
  const show = (item) => {
    if (!keep) return;
    [chosen, current] = [item, titleOf(item)];
    if (list.hidden) input.value = current;
  };
  return { node, input, show };
}
