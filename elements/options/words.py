"""Short answers, as people type them: `STOP`, `Stop. Thank you!`, `yes please 👍`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

LONGEST = 2_000
"""Characters of a text that are looked at. An answer is short; what is longer is a letter."""

# Whole words of politeness that change nothing about what was asked. Words that could change it (`not`,
# `don't`, `later`) must never stand here: "stop not" and "please don't stop" are no requests to stop. Nor may
# what means so in another language: Dutch and Swedish `nu` is "now", but Romanian `nu` is "not".
# fmt: off
COURTESY = frozenset({
    # English
    "please", "pls", "plz", "kindly", "thank you", "thank you very much", "thanks", "thanks a lot",
    "many thanks", "thx", "ty", "cheers", "now", "hi", "hello", "hey", "sorry",
    # German
    "bitte", "danke", "vielen dank", "danke schön", "jetzt", "sofort", "hallo",
    # French
    "svp", "s'il vous plaît", "s'il te plaît", "merci", "merci beaucoup", "maintenant", "bonjour",
    # Spanish, Portuguese
    "por favor", "gracias", "muchas gracias", "ahora", "hola", "obrigado", "obrigada", "agora", "olá",
    # Italian
    "per favore", "per piacere", "grazie", "grazie mille", "adesso", "ora", "ciao",
    # Dutch
    "alstublieft", "alsjeblieft", "aub", "dank u", "dank je", "bedankt",
    # Polish, Czech, Slovak
    "proszę", "dziękuję", "dzięki", "teraz", "prosím", "děkuji", "díky", "ďakujem", "teď",
    # Croatian, Bosnian, Serbian, Slovenian
    "molim", "molim vas", "hvala", "hvala lijepa", "sada", "odmah", "prosim", "молим", "хвала",
    # Danish, Norwegian, Swedish, Finnish
    "venligst", "vær så snill", "snälla", "tack", "tak", "takk", "kiitos",
    # Romanian, Hungarian, Greek, Turkish
    "te rog", "vă rog", "mulțumesc", "köszönöm", "kérem", "παρακαλώ", "ευχαριστώ", "lütfen", "teşekkürler",
    # Russian, Ukrainian, Bulgarian
    "пожалуйста", "спасибо", "будь ласка", "дякую", "моля", "благодаря",
})
# fmt: on

# Letters that are not a base and a mark to Unicode, but that keyboards without them replace.
_WITHOUT_ACCENT = {"\u0131": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "æ": "ae", "œ": "oe", "þ": "th"}

_INVISIBLE = re.compile(r"[\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_BETWEEN = re.compile(r"[\s.,!?;:…/()\[\]{}<>|\\_*=~\"\u201c-\u201e«»\u2039\u203a\u2012-\u2015¡¿·•&]+")
_TYPOGRAPHIC = str.maketrans({**dict.fromkeys("\u2018\u2019\u02bc\u00b4`", "'"), **dict.fromkeys("\u2010\u2011", "-")})


def normalise(text: str, longest: int = LONGEST) -> str:
    """A text as it is compared: NFKC, nothing invisible, no case, single blanks, and no punctuation, quotes,
    symbols or emoji at either end. Doing it twice changes nothing. Only the first `longest` characters count.
    """
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text[:longest].translate(_TYPOGRAPHIC)))
    # Casefolding may undo the normal form, and folding may follow from normalising: repeat the pair (Unicode,
    # D146).
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.casefold()).casefold())
    return _trimmed(" ".join(_INVISIBLE.sub("", text.translate(_TYPOGRAPHIC)).split()))


def unaccented(plain: str) -> str:
    """A normalised text as it is typed on a keyboard without accents: `arrêt` is `arret`, `cofnąć` is `cofnac`.

    Only Latin and Greek letters lose their marks: in Cyrillic, `й` is a letter of its own.
    """
    if plain.isascii():
        return plain
    return "".join([letter if letter.isascii() else _base(letter) for letter in plain])


def words_of(plain: str) -> list[str]:
    """The single words of a normalised text; punctuation without a blank parts words too ("stop.thanks").

    A hyphen or an apostrophe within a word does not: `non-stop` and `s'il` are one word each.
    """
    return [word for part in _BETWEEN.split(plain) if (word := _trimmed(part))]


def signs_of(text: str) -> frozenset[str]:
    """The signs and emoji of a text without letters, in any number and skin colour; empty where it has
    letters."""
    if normalise(text):
        return frozenset()
    signs = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text[:LONGEST]))
    return frozenset(sign for sign in signs if not sign.isspace() and not "\U0001f3fb" <= sign <= "\U0001f3ff")


def _trimmed(text: str) -> str:
    start, end = 0, len(text)
    while start < end and not _bears_meaning(text[start]):
        start += 1
    while end > start and not _bears_meaning(text[end - 1]):
        end -= 1
    return text[start:end]


@lru_cache(maxsize=4096)
def _base(letter: str) -> str:
    if letter in _WITHOUT_ACCENT:
        return _WITHOUT_ACCENT[letter]
    parts = unicodedata.normalize("NFD", letter)
    base = parts[0]
    if unicodedata.combining(base):
        return "" if base <= "\u036f" else letter
    is_latin_or_greek = base < "\u0400" or "\u1e00" <= base <= "\u1fff"
    return base if len(parts) > 1 and is_latin_or_greek else letter


def _bears_meaning(character: str) -> bool:
    """Letters, digits, and the marks that belong to letters."""
    return unicodedata.category(character)[0] in "LNM"


def matches(text: str, words: Iterable[str]) -> str | None:
    """The first of `words` (as given) that a text says, or None.

    It says a word when it is that word, or that word and words of courtesy around it: "Stop. Thank you!" says
    `stop`, "please stop" too; "stop sending me the other one" and "STOP 12345" do not. A word may be several
    (`opt out`), or a sign (`👍`), which is said by that sign alone. Case, punctuation at the ends, emoji and
    invisible characters count for nothing; accents neither, but a word spelt with the same ones comes first.
    """
    said = normalise(text)
    if not said:
        signs = signs_of(text)
        return next((word for word in words if signs and signs == signs_of(word)), None)
    choices = [(word, plain) for word in words if (plain := _plain(word))]
    for word, plain in choices:
        if said == plain:
            return word
    tokens = words_of(unaccented(said))
    for word, plain in choices:
        rest = _without(tokens, words_of(unaccented(plain)))
        if rest is not None and _all_courtesy(rest):
            return word
    return None


def _without(tokens: list[str], wanted: list[str]) -> list[str] | None:
    """What is left when the wanted run of words is taken out wherever it stands; None if it stands
    nowhere."""
    rest: list[str] = []
    at = found = 0
    while at < len(tokens):
        if wanted and tokens[at : at + len(wanted)] == wanted:
            found += 1
            at += len(wanted)
        else:
            rest.append(tokens[at])
            at += 1
    return rest if found else None


def _all_courtesy(tokens: list[str]) -> bool:
    """Whether the tokens are nothing but words of courtesy, of up to four words each."""
    at = 0
    while at < len(tokens):
        for length in range(min(4, len(tokens) - at), 0, -1):
            if " ".join(tokens[at : at + length]) in _COURTESY:
                at += length
                break
        else:
            return False
    return True


@lru_cache(maxsize=4096)
def _plain(word: str) -> str:
    """A keyword as compared; the same few come with every message."""
    return normalise(word)


_COURTESY = frozenset(unaccented(normalise(word)) for word in COURTESY)
