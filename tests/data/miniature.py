"""Miniature copies of the data sets, in the formats of their mirrors."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

# user, film, rating, time: unordered, with ties (users 7 and 10), and user 9 clicks once.
CLICKS = [
    (10, 267, 3, 500), (7, 3, 5, 200), (7, 1412, 1, 100), (10, 1, 4, 500), (9, 1, 2, 50),
    (7, 1, 4, 200), (10, 1633, 2, 400), (7, 267, 3, 200),
]  # fmt: skip
FLAGS = {"unknown": 0, "Animation": 3, "Children's": 4, "Comedy": 5, "Drama": 8, "Thriller": 16}
# raw id, title, year as the wheel has it, genres
FILMS = [
    (3, "Four Rooms", "1995", "Thriller"),
    (1, "Toy Story", "1995", "Animation Children's Comedy"),
    (267, "unkonwn", "unkonwn", "unknown"),
    (1412, "Land Before Time III (1995)", "V", "Animation Children's"),
    (1633, "Á köldum klaka (Cold Fever)", "1994", "Comedy Drama"),
]
TITLES = [
    "", "Toy Story (1995)", "Four Rooms (1995)", "unknown", "Land Before Time III (1995) (V)",
    "Á köldum klaka (Cold Fever) (1994)",
]  # fmt: skip


def make_zip(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def publisher_members(clicks=CLICKS) -> dict[str, bytes]:
    lines = []
    for number, title, year, genres in FILMS:
        full = "unknown" if year == "unkonwn" else f"{title} ({year})"
        present = [FLAGS[genre] for genre in genres.split()]
        flags = "|".join(str(int(flag in present)) for flag in range(19))
        # The publisher leaves a blank after some titles.
        lines.append(f"{number}|{full} |01-Jan-1995||http://us.imdb.com/|{flags}\n")
    data = "".join("\t".join(map(str, click)) + "\n" for click in clicks)
    return {"ml-100k/u.data": data.encode(), "ml-100k/u.item": "".join(lines).encode("latin-1")}


def wheel_members(clicks=CLICKS) -> dict[str, bytes]:
    folder = "recbole/dataset_example/ml-100k/ml-100k"
    inter = [("user_id:token", "item_id:token", "rating:float", "timestamp:float"), *clicks]
    header = ("item_id:token", "movie_title:token_seq", "release_year:token", "class:token_seq")
    tables = {f"{folder}.inter": inter, f"{folder}.item": [header, *FILMS]}
    about = "recbole-1.2.1.dist-info"
    return {
        **{
            n: "".join("\t".join(map(str, r)) + "\n" for r in t).encode() for n, t in tables.items()
        },
        f"{about}/METADATA": b"Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n",
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": b"",
    }


REVIEWS = [("B", "x2", 20), ("A", "x1", 20), ("B", "x1", 10), ("A", "x3", 20), ("C", "x1", 5)]
METADATA = [
    {
        "asin": "x1",
        "title": "Soap &amp; Oil",
        "categories": [["Beauty", "Bath"], ["Beauty", "Hair"]],
    },
    {"asin": "x9", "title": "never reviewed", "categories": [["Beauty", "Other"]]},
    {"asin": "x2", "title": 'It\'s "new"', "categories": [[]]},
]


def write_amazon(folder: Path, reviews=REVIEWS, metadata=METADATA, word="Beauty") -> Path:
    folder.mkdir(exist_ok=True)
    keys = ("reviewerID", "asin", "unixReviewTime")
    lines = [json.dumps(dict(zip(keys, review, strict=True))) for review in reviews]
    for name, rows in {f"reviews_{word}_5": lines, f"meta_{word}": map(repr, metadata)}.items():
        content = "".join(row + "\n" for row in rows).encode()
        (folder / f"{name}.json.gz").write_bytes(gzip.compress(content))
    return folder


# Twelve users, enough for a split by user: three to five reviews each, of six items.
MANY = [
    (f"U{u:02}", f"x{(u * 5 + n * n) % 6}", 10 * n) for u in range(12) for n in range(3 + u % 3)
]
LISTED = [{"asin": f"x{n}", "categories": [["All", f"part {n % 2}"]]} for n in range(6)]

# The ids-only copy of REVIEWS: reviewers A, B (C clicks once), items x1, x2, x3, by day.
COPIED = """label,user_id,item_id,cate_id,item_history,cate_history
1,1,1,7,0,3
0,1,2,7,0,3
0,0,1,7,0,3
1,0,2,7,0,3
"""

# impression, user, time, history, shown: unordered, with a tie and a user of both parts.
BEHAVIOURS = {
    "train": [
        "1\tU2\t11/11/2019 9:05:58 PM\tN1 N2\tN3-0 N4-1 N1-0 N2-1",
        "2\tU1\t11/12/2019 9:05:58 AM\tN2 N1\tN4-1 N3-0",
        "3\tU1\t11/11/2019 12:00:00 AM\tN2\tN1-1",
        "4\tU3\t11/11/2019 9:00:00 AM\t\tN1-1 N2-0",
    ],
    "dev": ["1\tU2\t11/15/2019 8:00:00 AM\tN1 N2 N4\tN5-1 N3-0 N2-0"],
}
NEWS = {
    "train": ["N3\tsports\tgolf\tPar &amp; more\tabstract\turl\t[]\t[]", "N1\tnews\tworld\tOne",
              "N2\tnews\tworld\tTwo", "N4\tnews\tlocal\tFour"],
    "dev": ["N5\tsports\ttennis\tFive", "N1\tnews\tworld\tOne, again"],
}  # fmt: skip


def write_mind(folder: Path, behaviours=BEHAVIOURS, news=NEWS, within: str = "") -> Path:
    """Both archives; `within` is a folder in them."""
    (folder / "mind").mkdir(parents=True, exist_ok=True)
    for part in ("train", "dev"):
        tables = {"behaviors": behaviours[part], "news": news[part]}
        texts = {f"{within}{n}.tsv": "".join(line + "\n" for line in t) for n, t in tables.items()}
        content = make_zip({name: text.encode() for name, text in texts.items()})
        (folder / "mind" / f"MINDsmall_{part}.zip").write_bytes(content)
    return folder


def write_many_impressions(folder: Path) -> Path:
    """Twelve users with four impressions each, of eight news."""
    rows = []
    for user in range(12):
        for n in range(4):
            clicked, skipped = 1 + (user + n) % 8, 1 + (user + n + 1) % 8
            moment = f"11/{11 + n}/2019 9:00:00 AM"
            rows.append(f"{n}\tU{user}\t{moment}\tN1 N3\tN{clicked}-1 N{skipped}-0")
    news = [f"N{n}\tnews\tpart {n % 2}\tTitle {n}" for n in range(1, 9)]
    return write_mind(folder, {"train": rows, "dev": []}, {"train": news, "dev": []})
