"""How long a chapter takes to read: one formula, on its page and in the tests.

Counted is what a reader sees who reads a chapter from its title to its end once:

- words: 200 a minute. Adults read non-fiction in English silently at 238 words a minute, most of
  them between 175 and 300 (Brysbaert 2019, doi.org/10.1016/j.jml.2019.104047, 190 studies). Our
  sentences are dense, and for many readers English is a second language: so we take a rate between
  the mean and the lower end. An inline formula counts as a word.
- a line of code: 3 seconds, as long as ten words. The text has said what it does. Those who search
  code for defects are advised to take 7 seconds (500 lines an hour, the upper end in Cohen, "Best
  kept secrets of peer code review", 2006).
- a line of output: 1.5 seconds. It is looked at, not read.
- an equation on a line of its own: 20 seconds. A fixation of 0.3 seconds takes in two or three
  symbols, and the eye goes back as often as forward ("A few seconds of equation reading: a process
  model", an eye-tracking study): 30 to 40 symbols are some 10 seconds, and we allow a second pass.
- a figure: 30 seconds; Medium allows 12 for the first picture of an article, but a plot has axes.
  A live figure: 60 seconds, for there is something to move. These two are our guess.

Not counted is what a reader opens or does at will: folded code (`hide-input`), whose sentence is in
the text; closed `<details>`; exercises, solutions and quiz, which take as long as they take; the
map below the title, which is the same in each chapter. Whoever works through everything needs two
or three times as long.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

WORDS_A_MINUTE = 200
SECONDS = {"code": 3, "output": 1.5, "equation": 20, "figure": 30, "live": 60}
LIMIT = 25  # minutes; a chapter should take 15 to 25
AT_WILL = {"Exercises", "Quiz"}
PICTURES = {"image/png", "image/jpeg", "image/svg+xml"}
DETAILS = re.compile(r"<details.*?</details>", re.S)
FIGURE = re.compile(r"^```\{figure\} \S*?(here-)?[\w-]*\.svg$(.*?)^```$", re.M | re.S)
FENCE = re.compile(r"^```(?!\{)\w*\n(.*?)^```$", re.M | re.S)
EQUATION = re.compile(r"\$\$.*?\$\$", re.S)
ROLE = re.compile(r"\{[a-z:]+\}`([^`<]*)(?:<[^`]*>)?`")
OPTION = re.compile(r"^:[\w-]+:.*$|^```.*$|^\([\w-]+\)=$", re.M)


def lines(text: str) -> int:
    """The lines that are not empty."""
    return sum(bool(line.strip()) for line in text.splitlines())


def of_text(source: str) -> Counter:
    """Words and the rest in a Markdown text."""
    source = DETAILS.sub(" ", source)
    pictures = FIGURE.findall(source)
    source = FIGURE.sub(lambda found: OPTION.sub(" ", found[2]), source)
    blocks = FENCE.findall(source)
    source = FENCE.sub(" ", source)
    plain = re.sub(r"\$[^$]+\$", " formula ", EQUATION.sub(" ", source))
    plain = OPTION.sub(" ", ROLE.sub(r"\1", plain))
    return Counter(
        words=len(re.findall(r"\S*\w\S*", plain)),
        code=sum(map(lines, blocks)),
        equation=len(EQUATION.findall(source)),
        figure=sum(not here for here, _ in pictures),
    )


def of_code(cell: dict) -> Counter:
    """Lines, figures and captions of a code cell that runs in the page."""
    tags = cell["metadata"].get("tags", [])
    caption = cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption", "")
    count = of_text(caption)
    if not {"hide-input", "hide-cell", "remove-input", "remove-cell"} & set(tags):
        count["code"] += lines("".join(cell["source"]))
    if {"hide-output", "hide-cell", "remove-output", "remove-cell"} & set(tags):
        return count
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "text/html" in data:
            count["live"] += 1
        elif PICTURES & set(data):
            count["figure"] += 1
        else:
            shown = output.get("text") or data.get("text/plain") or output.get("evalue", "")
            count["output"] += lines("".join(shown))
    return count


def sections(cells: list[dict]) -> list[tuple[int, str, Counter]]:
    """Level and title of each heading, and what is to be read below it."""
    found = [(1, "", Counter())]
    for cell in cells:
        if cell["cell_type"] == "code":
            found[-1][2].update(of_code(cell))
            continue
        for part in re.split(r"^(?=#{1,3} )", "".join(cell["source"]), flags=re.M):
            if heading := re.match(r"(#{1,3}) (.*)", part):
                found.append((len(heading[1]), heading[2], Counter()))
            found[-1][2].update(of_text(part))
    return found


def minutes_of(count: Counter) -> float:
    """The formula."""
    seconds = sum(rate * count[kind] for kind, rate in SECONDS.items())
    return count["words"] / WORDS_A_MINUTE + seconds / 60


def minutes(path: Path) -> float:
    """How long the main text of a notebook takes to read."""
    cells = json.loads(Path(path).read_text(encoding="utf8"))["cells"]
    total, at_will = 0.0, False
    for level, title, count in sections(cells):
        at_will = title in AT_WILL or (at_will and level > 2)
        total += 0 if at_will else minutes_of(count)
    return total


if __name__ == "__main__":  # the chapters named, heading by heading
    for name in sys.argv[1:]:
        print(f"{name}: {minutes(Path(name)):.1f} minutes")
        for _, title, count in sections(json.loads(Path(name).read_text(encoding="utf8"))["cells"]):
            shown = ", ".join(f"{number} {kind}" for kind, number in count.items() if number)
            print(f"  {minutes_of(count):5.1f}  {title[:48]:48}  {shown}")
