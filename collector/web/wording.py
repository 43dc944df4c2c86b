"""Every text that a person reads, in Vietnamese and English, from `lang/*.yaml`.

A text may hold {named} places. A key that is missing is a mistake of ours and raises; a test compares both languages
and all templates, so it cannot reach a page.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = ("vi", "en")
DEFAULT_LANGUAGE = "vi"
_FOLDER = Path(__file__).parent / "lang"


def load_texts(language: str) -> dict[str, str]:
    """`lang/<language>.yaml`, flattened: `feed: {title: …}` becomes `feed.title`. Every scalar is text."""
    # BaseLoader makes text of everything: `no`, `on` and 12:30 are words here.
    tree = yaml.load((_FOLDER / f"{language}.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    texts: dict[str, str] = {}
    _flatten(tree, "", texts)
    return texts


def _flatten(tree: Mapping[str, Any], prefix: str, texts: dict[str, str]) -> None:
    for key, value in tree.items():
        if isinstance(value, dict):
            _flatten(value, f"{prefix}{key}.", texts)
        else:
            texts[prefix + key] = value


class Wording:
    """The texts of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = load_texts(language)

    def __call__(self, key: str, **places: object) -> str:
        """The text of `key` with its places filled. KeyError for a key that does not exist."""
        text = self._texts[key]
        return text.format(**places) if places else text

    def of(self, group: str, word: str) -> str:
        """The text of `group.word` for a word that came from outside; a word without a text is shown as it is."""
        return self._texts.get(f"{group}.{word}", word)

    def under(self, group: str) -> dict[str, str]:
        """All texts of a group by their last name: what a page hands to its scripts."""
        start = group + "."
        return {key.removeprefix(start): text for key, text in self._texts.items() if key.startswith(start)}


def choose_language(cookie: str | None) -> str:
    """The language that was asked for, else Vietnamese."""
    return cookie if cookie in LANGUAGES else DEFAULT_LANGUAGE
