"""What a reader gets: how heavy each built page is, how soon it shows, and how it looks.

python -m studies.pages _build/html measures every page in Chromium and writes studies/pages.json.
python -m studies.pages _build/html --strip makes the strip of pictures in the README.
"""

from __future__ import annotations

import argparse
import datetime
import io
import os
import re
from pathlib import Path

import numpy as np

from dien_edu.training.checkpoint import save_json
from studies.explorer import chromium, machine

ROOT = Path(__file__).parent.parent
RECORD = Path(__file__).with_name("pages.json")
STRIP = ROOT / "book" / "images" / "strip.webp"
VISITS = 5
NAMED = re.compile(r'(?:src|href)="([^"#?]+)"')
# First paint, and the last of the larger paints: when what fills the first screen stood there.
PAINTS = """() => new Promise((done) => {
  const found = {};
  const watch = (type, key) => new PerformanceObserver((list) => {
    found[key] = list.getEntries().at(-1).startTime;
  }).observe({ type, buffered: true });
  watch("paint", "first");
  watch("largest-contentful-paint", "largest");
  setTimeout(() => done(found), 300);
})"""
# page, selector of what is shown, viewport, theme, and the height that is cut out
SHOTS = (
    ("book/12-explorer.html", "explorer-figure", (1280, 900), "light", 1010),
    ("book/08-augru.html", "evolution-figure", (1280, 900), "dark", 760),
    ("book/index.html", "main article", (390, 844), "light", 780),
)
HEIGHT, GAP = 640, 24


def pages_of(built: Path) -> list[Path]:
    """Every page of the book that a reader can open."""
    found = [page for page in sorted(built.rglob("*.html")) if "_static" not in page.parts]
    return [page for page in found if page != built / "index.html"]  # it leads on at once


def weight(page: Path) -> int:
    """Bytes of the page and of its own pictures: what it has beyond what all pages share."""
    text = page.read_text(encoding="utf8")
    files = {(page.parent / name).resolve() for name in NAMED.findall(text)}
    own = [file for file in files if file.is_file() and "_images" in file.parts]
    return len(text.encode()) + sum(file.stat().st_size for file in own)


def first_view(browser, page: Path) -> dict[str, float]:
    """Milliseconds to the first paint and to the largest one: medians over visits, each cold."""
    visits = []
    for _ in range(VISITS):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
        tab = context.new_page()
        tab.goto(page.as_uri())
        visits.append(tab.evaluate(PAINTS))
        context.close()
    keys = ("first", "largest")
    return {f"{key}_paint_ms": round(float(np.median([v[key] for v in visits]))) for key in keys}


def measure(browser, built: Path) -> list[dict]:
    """A row for each page, the slowest first."""
    rows = [
        {"page": str(page.relative_to(built)), "bytes": weight(page), **first_view(browser, page)}
        for page in pages_of(built)
    ]
    return sorted(rows, key=lambda row: -row["largest_paint_ms"])


def strip(browser, built: Path, path: Path = STRIP) -> None:
    """The README's pictures side by side, cut from the built pages."""
    from PIL import Image

    parts = []
    for name, selector, (width, height), theme, tall in SHOTS:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            device_scale_factor=1.5,
            reduced_motion="reduce",
        )
        tab = context.new_page()
        tab.goto((built / name).as_uri())
        tab.wait_for_timeout(1000)
        box = tab.locator(selector).first.bounding_box()
        clip = {"x": box["x"], "y": box["y"], "width": box["width"]}
        clip["height"] = min(tall, box["height"])
        shot = Image.open(io.BytesIO(tab.screenshot(clip=clip, full_page=True)))
        parts.append(shot.resize((round(shot.width * HEIGHT / shot.height), HEIGHT)))
        context.close()
    width = sum(part.width for part in parts) + GAP * (len(parts) - 1)
    whole, x = Image.new("RGBA", (width, HEIGHT)), 0
    for part in parts:
        whole.paste(part, (x, 0))
        x += part.width + GAP
    whole.save(path, quality=78, method=6)


def main(arguments: list[str] | None = None) -> None:
    """Measure the built pages, or picture them."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="python -m studies.pages")
    parser.add_argument("built", type=Path, help="the folder with the built pages: _build/html")
    parser.add_argument("--strip", action="store_true", help="make the README's pictures instead")
    options = parser.parse_args(arguments)
    built = options.built.resolve()
    with sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = driver.chromium.launch(executable_path=chromium(), args=arguments)
        if options.strip:
            strip(browser, built)
        else:
            made = {"date": datetime.date.today().isoformat(), "machine": machine()}
            made |= {"browser": browser.version, "visits": VISITS, "from": "a folder, offline"}
            made |= {"load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
            rows = measure(browser, built)
            save_json(RECORD, made | {"pages": rows})
            for row in rows:
                print(*row.values())
        browser.close()


if __name__ == "__main__":
    main()
