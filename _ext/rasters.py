"""The pictures as PNG, for notebooks whose Markdown shows no SVG: `python _ext/rasters.py`.

Needs Chromium, Playwright and Pillow, as the browser tests do. Each file names the SVG that it was
made from by its hash, so a test without a browser finds one that is out of date.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from pathlib import Path

IMAGES = Path(__file__).parent.parent / "book" / "images"
SCALE = 2  # pixels a CSS pixel
COLOURS = 256  # of some thousand, nearly all of them at the edges of letters
SOURCE = "Source-SHA256"  # the name of the PNG's text entry


def source_hash(picture: Path) -> str:
    """The hash of a picture's text, the same with any line ends."""
    return hashlib.sha256(picture.read_text(encoding="utf8").encode()).hexdigest()


def raster(browser, picture: Path) -> bytes:
    """One SVG as a PNG with few colours."""
    from PIL import Image, PngImagePlugin

    page = browser.new_page(device_scale_factor=SCALE)
    page.set_content(f"<style>body {{ margin: 0 }}</style>{picture.read_text(encoding='utf8')}")
    shot = page.locator("svg").first.screenshot()
    page.close()
    full = Image.open(io.BytesIO(shot)).convert("RGB")
    flat = full.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    note = PngImagePlugin.PngInfo()
    note.add_text(SOURCE, source_hash(picture))
    file = io.BytesIO()
    flat.save(file, "PNG", optimize=True, pnginfo=note)
    return file.getvalue()


def main() -> None:
    """Make each picture's PNG anew."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium's sandbox refuses root
    (IMAGES / "png").mkdir(exist_ok=True)
    with sync_playwright() as driver:
        options = ["--no-sandbox"] if root else []
        browser = driver.chromium.launch(executable_path=path, args=options)
        for picture in sorted(IMAGES.glob("*.svg")):
            if picture.stem != "favicon":
                data = raster(browser, picture)
                (IMAGES / "png" / f"{picture.stem}.png").write_bytes(data)
                print(f"{picture.stem}.png  {len(data) / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    main()
