"""The glossary and the notation page: complete, in order, and true to the code."""

from __future__ import annotations

import re
from pathlib import Path

from dien_edu import reference

APPENDIX = Path(__file__).parent.parent / "book" / "appendix"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def read(name):
    return (APPENDIX / name).read_text(encoding="utf8")


def entries():
    """English name -> (the names below it, the definition)."""
    (body,) = re.findall(r"```\{glossary\}\n(.*?)\n```", read("glossary.md"), re.S)
    found = {}
    for entry in body.split("\n\n"):
        lines = entry.splitlines()
        definition = [line for line in lines if line.startswith("  ")]
        names = lines[: len(lines) - len(definition)]
        assert len(definition) == 1, entry
        assert names[0] not in found, names[0]
        found[names[0]] = names[1:], definition[0].strip()
    return found


def test_every_term_has_a_chinese_name_or_is_listed_as_used_untranslated():
    listed = re.search(r"Untranslated in Chinese texts too: (.*?)\.", read("glossary.md"))[1]
    untranslated = set(listed.split(", "))
    for term, (others, _) in entries().items():
        chinese = [name for name in others if CHINESE.search(name)]
        assert len(chinese) == (0 if term in untranslated else 1), term
    assert untranslated <= set(entries())


def test_no_chinese_name_stands_for_two_terms():
    names = [name for others, _ in entries().values() for name in others]
    assert len(names) == len(set(names))


def test_terms_stand_in_alphabetical_order():
    terms = list(entries())
    assert terms == sorted(terms, key=str.casefold)


def test_every_definition_is_a_sentence_that_does_not_start_with_its_term():
    for term, (_, definition) in entries().items():
        assert re.match(r"[A-Z].{20,}[.)]$", definition), term
        assert not definition.casefold().startswith((term.casefold(), f"a {term.casefold()} is"))


def test_every_equation_names_a_function_of_the_reference():
    table = read("notation.md").split("## Equations of the paper")[1]
    named = set(re.findall(r"`(\w+)`", table.rpartition("| --- |")[2]))
    public = {
        name
        for name, value in vars(reference).items()
        if callable(value) and value.__module__ == reference.__name__ and name[0] != "_"
    }
    assert named == public - {"sigmoid", "log_sigmoid"}  # they have no number


def test_no_symbol_has_two_rows():
    rows = re.findall(r"^\| (\$.+?\$(?:, \$.+?\$)*) \|", read("notation.md"), re.M)
    symbols = [symbol for row in rows for symbol in row.split(", ")]
    assert len(symbols) > 30
    assert len(symbols) == len(set(symbols))
