"""MovieLens-100K: 943 people, 1,682 films, 100,000 ratings; a rating counts as a click."""

from __future__ import annotations

import numpy as np

from dien_edu.data.download import fetch, in_order, parse_lines, plain, read_members
from dien_edu.data.interactions import Interactions

PUBLISHER = (
    "ml-100k.zip",
    "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
    "md5:0e33842e24a9c977be4e0107933c0723",
)
WHEEL = (
    "recbole-1.2.1-py3-none-any.whl",
    "python -m pip download --no-deps recbole==1.2.1",
    "sha256:9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
)
IN_WHEEL = "recbole/dataset_example/ml-100k/ml-100k"
WORDS = """unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy
Film-Noir Horror Musical Mystery Romance Sci-Fi Thriller War Western"""
GENRES = WORDS.split()  # in the order of the flags in the publisher's u.item


def _zip_film(line: bytes) -> tuple[int, str, int]:
    """id|title|date|date|address and 19 genre flags, one of them 1"""
    fields = line.decode("latin-1").split("|")
    number, title, _, _, _ = fields[: -len(GENRES)]
    return int(number), title, 1 + fields[-len(GENRES) :].index("1")


def _wheel_film(line: bytes) -> tuple[int, str, int] | None:
    """id, title, year and genres between tabs"""
    number, title, year, genres = line.decode().split("\t")
    if number == "item_id:token":
        return None
    # Film 267 has neither title nor year: "unkonwn" here, "unknown" in the publisher's file.
    title = "unknown" if year == "unkonwn" else f"{title} ({year})"
    return int(number), title, 1 + min(GENRES.index(genre) for genre in genres.split())


def load_movielens() -> Interactions:
    """From the publisher's zip or the copy inside the recbole wheel: the same from both."""
    path = fetch(PUBLISHER, WHEEL)
    if path.suffix == ".zip":
        names, parse_film = ("ml-100k/u.data", "ml-100k/u.item"), _zip_film
    else:
        names, parse_film = (f"{IN_WHEEL}.inter", f"{IN_WHEEL}.item"), _wheel_film
    clicks, films = (content.splitlines() for content in read_members(path, names))
    films = sorted(parse_lines(films, parse_film, f"{path}, {names[1]}"))
    number_of_film = {film[0]: number for number, film in enumerate(films, 1)}

    def parse_click(line: bytes) -> tuple[int, int, int] | None:
        """user, listed film, rating and time between tabs"""
        user, number, _, time = line.decode().split("\t")
        if user != "user_id:token":
            return np.int64(user), number_of_film[int(number)], np.int64(time)
        return None

    rows = list(parse_lines(clicks, parse_click, f"{path}, {names[0]}"))
    return Interactions(
        name="movielens-100k",
        category_of_item=np.array([0] + [genre for _, _, genre in films]),
        item_names=[""] + [plain(title) for _, title, _ in films],
        category_names=["", *GENRES],
        **in_order(*np.array(rows, np.int64).reshape(-1, 3).T, str(path)),
    )
