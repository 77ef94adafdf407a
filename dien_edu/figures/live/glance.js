// The index page's figure: one user, three things to show, and what the trained network makes of it.
import { range } from "./maths.js";
import { figure, label, marker, num, percent, tag } from "./kit.js";
import { ITEMS, interestOf, run, titleOf } from "./network.js";

const SHOWN = { printer: "photo printer (simple)", mixer: "stand mixer (simple)", telescope: "telescope (simple)" };
const itemOf = (shown) => ITEMS.findIndex(([title]) => title === SHOWN[shown]);
const short = (item) => titleOf(item).replace(" (simple)", "");
const shapes = { photography: "o", cooking: "s", astronomy: "X" };

function compute({ history, known, shown }) {
  const target = itemOf(shown), wanted = interestOf(target), found = run("augru", history.slice(0, known), target);
  const held = found.attention.reduce((sum, a, t) => sum + (interestOf(history[t]) === wanted ? a : 0), 0);
  return { ...found, target, wanted, held };
}

function draw({ history, known }, { probability, attention, wanted, target }, width) {
  const left = 142, room = width - left - 50, top = 66, tall = 27;
  const chance = label(0, 14, `Will the user click on the ${short(target)}?`, { class: "soft" })
    + tag("rect", { class: "track", x: 0.5, y: 24, width: width - 76, height: 24, rx: 5 })
    + tag("g", { class: "series augru" }, tag("rect", { class: "bar", x: 0, y: 24, width: Math.max(2, probability * (width - 76)), height: 24, rx: 5 }))
    + label(width, 44, percent(probability), { "text-anchor": "end", class: "large" });
  const rows = history.map((item, t) => {
    const y = top + 22 + t * tall, interest = interestOf(item), on = t < known, mine = interest === wanted;
    const shape = marker(shapes[interest] ?? "o", 9, y + 8, 6, mine ? {} : { class: "dot open" });
    const bar = on ? tag("g", { class: "series attention" }, tag("rect", { class: "bar", x: left, y, width: Math.max(1, attention[t] * room), height: 16, rx: 3 }))
      + label(left + attention[t] * room + 6, y + 13, num(attention[t])) : label(left, y + 13, "not yet clicked", { class: "soft" });
    return tag("g", on ? {} : { class: "off" }, tag("g", { class: `series ${interest}` }, shape) + label(24, y + 13, short(item)) + bar);
  }).join("");
  const height = top + 22 + history.length * tall + 18;
  const key = label(0, height - 6, `filled: ${wanted}, as the ${short(target)}`, { class: "soft" });
  return { height, marks: key + chance + label(0, top + 8, "clicks, oldest first", { class: "soft" }) + label(left, top + 8, width < 480 ? "attention" : "attention to what is shown", { class: "soft" }) + rows };
}

export function mount(root, model) {
  const length = model.get("history").length;
  return figure(root, model, {
    name: "glance",
    title: "Move something: a trained DIEN, in this page",
    keys: ["history", "known", "shown"],
    compute, draw, above: true,
    controls: [
      { kind: "choice", key: "shown", label: "show the user a", options: [["printer", "photo printer"], ["mixer", "stand mixer"], ["telescope", "telescope"]] },
      { kind: "range", key: "known", label: "clicks that the network has seen", min: 0, max: length, step: 1, digits: 0 },
    ],
    tries: [
      { text: "show the stand mixer instead. Which clicks does the network look at now?",
        see: (state, { held, probability }) => `cooking clicks now hold ${percent(held)} of the attention, and the answer is ${percent(probability)}.`,
        set: () => ({ shown: "mixer", known: length }), done: ({ shown, known }) => shown === "mixer" && known === length },
      { text: "back to the photo printer, but without the last click, the flash. Is it too early for a printer?",
        see: (state, { probability }) => `${percent(probability)}. In this user's world a printer comes after the flash: order matters.`,
        set: () => ({ shown: "printer", known: length - 1 }), done: ({ shown, known }) => shown === "printer" && known === length - 1 },
    ],
    say: ({ history, known }, { target, wanted, held, probability }) => {
      const after = known ? `After ${known} ${known === 1 ? "click" : "clicks"}, the last on ${short(history[known - 1])}` : "Before any click";
      const looks = known ? ` Clicks on ${wanted} hold ${percent(held)} of the attention.` : "";
      return `${after}, the network gives the ${short(target)} ${percent(probability)}.${looks}`;
    },
    table: ({ history, known }, { attention, wanted, steps }) => ({
      head: ["click", "true interest", "attention", "mean step"],
      rows: range(known).map((t) => [`${t + 1} ${short(history[t])}`, interestOf(history[t]) + (interestOf(history[t]) === wanted ? ", the target's" : ""),
        num(attention[t], 4), num(steps[t].written.reduce((sum, value) => sum + value, 0) / steps[t].written.length, 4)]),
    }),
  });
}
