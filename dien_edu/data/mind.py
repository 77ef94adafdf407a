"""MIND-small: news that was shown and clicked or not, six weeks of late 2019; true impressions."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import numpy as np

from dien_edu.data.download import fetch, in_order, parse_lines, plain, read_members
from dien_edu.data.interactions import Interactions

ADDRESS = "https://huggingface.co/datasets/Recommenders/MIND/resolve/main/"
FILES = {
    "mind/MINDsmall_train.zip": "0d6d50cfb534b494a1153694f8a488170b28b0ac1c254363b565aa6b11c7761f",
    "mind/MINDsmall_dev.zip": "e3db712b7eb4339bc1729c5a0075c2e8204107690f9d5f0f974de4852622564f",
}
WIDEST = 20  # so many non-clicks of an impression are kept, drawn once; a long one shows 300


def load_mind() -> Interactions:
    """Both parts of MIND-small as one set; the category is the subcategory of the news.

    A user's clicks: first the click history that stands in the user's earliest impression, then
    the clicks of all impressions, by time. The history has an order but neither times nor
    impressions: its clicks carry their place, 0, 1, 2 …, as time, and nothing in `shown`. Clicks
    of one impression have one time, and stand as they are listed; each has the impression's
    non-clicks, at most `WIDEST` of them, in `shown`. An impression without a click is left out.
    """
    names, categories, impressions = {}, {}, []
    for name, known_hash in FILES.items():
        path = fetch((name, ADDRESS + name.split("/")[1], f"sha256:{known_hash}"))
        behaviours, news = read_members(path, ["behaviors.tsv", "news.tsv"])
        for number, title, category in parse_lines(news.splitlines(), _news, f"{path}, news.tsv"):
            names.setdefault(number, title), categories.setdefault(number, category)
        parse = _parser({number: place for place, number in enumerate(names, 1)})
        impressions += parse_lines(behaviours.splitlines(), parse, f"{path}, behaviors.tsv")
    category_names, category = np.unique(list(categories.values()), return_inverse=True)
    return Interactions(
        name="mind-small",
        category_of_item=np.concatenate([[0], category + 1]),
        item_names=["", *names.values()],
        category_names=["", *category_names.tolist()],
        **_sequences(impressions),
    )


def _news(line: bytes) -> tuple[str, str, str]:
    """id, category, subcategory and title between tabs, and more"""
    number, _, subcategory, title, *_ = line.decode().split("\t")
    return number, plain(title), subcategory


def _parser(number_of: dict[str, int]):
    """A parser of impressions of listed news."""

    def parse(line: bytes) -> tuple[str, int, list[int], list[int], list[int]]:
        """id, user, time, clicked news and shown news with -0 or -1, all listed, between tabs"""
        _, user, moment, history, shown = line.decode().split("\t")
        time = datetime.strptime(moment, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC)
        seen: dict[str, list[int]] = {"0": [], "1": []}
        for item, clicked in (word.rsplit("-", 1) for word in shown.split()):
            seen[clicked].append(number_of[item])
        earlier = [number_of[item] for item in history.split()]
        return user, int(time.timestamp()), earlier, seen["1"], seen["0"]

    return parse


def _sequences(impressions: list[tuple]) -> dict:
    """Fields of `Interactions`: the clicks of each user in order, and what was shown with them."""
    random, clicks, last = Random(0), [], None  # a click: user, time, item, non-clicks
    for user, time, history, clicked, skipped in sorted(impressions, key=lambda one: one[:2]):
        if user != last:
            clicks += [(user, place, item, ()) for place, item in enumerate(history)]
        last = user
        kept = random.sample(skipped, min(len(skipped), WIDEST))
        clicks += [(user, time, item, kept) for item in clicked]
    user, time, item, skipped = zip(*clicks, strict=True) if clicks else ([],) * 4
    fields = in_order(np.array(user), np.arange(len(item)), np.array(time), "MIND-small")
    shown = np.zeros((len(fields["item"]), WIDEST), dtype=np.int64)
    for row, place in enumerate(fields["item"].tolist()):
        shown[row, : len(skipped[place])] = skipped[place]
    return {**fields, "item": np.array(item)[fields["item"]], "shown": shown}
