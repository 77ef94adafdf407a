// What the theme leaves out for readers who use a keyboard or a screen reader.
function isCut(box) {
  return box.scrollWidth > box.clientWidth;
}

// A box that scrolls sideways can be reached with Tab, and says what it is.
function makeScrollable() {
  let count = 0; // each region has a name of its own
  for (const box of document.querySelectorAll("article .pst-scrollable-table-container, article div.math")) {
    if (isCut(box)) {
      count += 1;
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", `wide ${box.matches("div.math") ? "equation" : "table"}, number ${count}`);
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
}

// Every "Toggle hidden content" button is named after what it opens.
function nameToggles() {
  for (const button of document.querySelectorAll("button.toggle-button")) {
    const title = button.closest(".admonition")?.querySelector(".admonition-title");
    if (title) button.setAttribute("aria-label", `Show or hide: ${title.textContent.trim()}`);
  }
}

// Paper is white: what is printed from the dark theme is printed from the light one.
function printLight() {
  const root = document.documentElement, paper = matchMedia("print");
  const turn = (printing) => {
    if (printing === "paper" in root.dataset) return;
    if (printing) [root.dataset.paper, root.dataset.theme] = [root.dataset.theme, "light"];
    else {
      root.dataset.theme = root.dataset.paper;
      delete root.dataset.paper;
    }
  };
  paper.addEventListener("change", () => turn(paper.matches));
  addEventListener("beforeprint", () => turn(true));
  addEventListener("afterprint", () => turn(false));
}

addEventListener("load", () => {
  printLight();
  makeScrollable();
  nameToggles();
  addEventListener("resize", makeScrollable);
  window.MathJax?.startup?.promise?.then(makeScrollable);
});
