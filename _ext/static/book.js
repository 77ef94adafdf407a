// What the theme leaves out for readers who use a keyboard or a screen reader.
function isCut(box) {
  return box.scrollWidth > box.clientWidth;
}

// A box that scrolls sideways can be reached with Tab, and says what it is.
function makeScrollable() {
  for (const box of document.querySelectorAll("article .pst-scrollable-table-container, article div.math")) {
    if (isCut(box)) {
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", box.matches("div.math") ? "wide equation" : "wide table");
    } else {
      box.removeAttribute("tabindex");
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

addEventListener("load", () => {
  makeScrollable();
  nameToggles();
  addEventListener("resize", makeScrollable);
  window.MathJax?.startup?.promise?.then(makeScrollable);
});
