/* From a folder, Chromium shows a notebook as text instead of saving it, and a page may not read
   files. A script it may load: beside NAME.ipynb lies NAME.js, which hands the same text over. */
if (location.protocol === "file:") {
  globalThis.saveNotebook = (name, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/x-ipynb+json" }));
    link.download = name;
    link.click();
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href*="colab/"][href$=".ipynb"]');
    if (!link) return;
    event.preventDefault();
    const script = document.createElement("script");
    script.src = link.href.replace(/ipynb$/, "js");
    script.addEventListener("load", () => script.remove());
    document.head.append(script);
  });
}
