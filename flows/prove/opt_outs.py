"""Whether everybody who gets marketing is told how to say no, before the third message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from tactful.elements.contract import Send
from tactful.elements.options.template import Template
from tactful.flows.blocks import sender_named
from tactful.flows.checks.senders import OPT_OUT_LINK
from tactful.flows.problem import listed
from tactful.flows.prove.proof import Proof
from tactful.flows.prove.walk import stops
from tactful.flows.prove.ways import Way, Ways, route

SENT_BEFORE = 2
"""So many marketing messages may go out before somebody was told how to say no; the next may not."""

Offer = Literal["yes", "no", "unknown"]

OptOutWords = Mapping[str, frozenset[str]]
"""For each sender that takes replies, the words by which people opt out there."""

_FIGURES = {"messages_before": SENT_BEFORE}


def prove_opt_outs(ways: Ways, words: OptOutWords | None) -> Proof:
    """Every path offers an opt-out before its third marketing message. `words` are None where no project says them."""
    offers = {name: offer(ways, name, words) for name in ways.elements if ways.element(name).sends is not None}
    if _third(ways, offers, ()) is None:
        says = f"No path has more than {SENT_BEFORE} marketing messages, so none comes to a third without an opt-out."
        return Proof("opt-out", "holds", says, _FIGURES)
    third = _third(ways, offers, ("yes",))
    if third is None:
        says = "Every path offers an opt-out before its third marketing message."
        return Proof("opt-out", "holds", says, _FIGURES)
    certain = _third(ways, offers, ("yes", "unknown"))
    path = certain or third
    before = [way.element for way in path[:-1] if _is_marketing(ways, way)]
    notes = {number: _note(offers[way.element]) for number, way in enumerate(path) if _is_marketing(ways, way)}
    notes[len(path) - 1] = "the third marketing message"
    shown = stops(ways, path, notes)
    names = listed(dict.fromkeys(before))
    if certain is not None:
        offer_none = f"{names} offer{'s' * (len({*before}) == 1)} none"
        says = f"A third marketing message may come before any opt-out was offered: {offer_none}."
        return Proof("opt-out", "fails", says, _FIGURES, shown)
    unknown = listed(dict.fromkeys(name for name in before if offers[name] == "unknown"))
    says = f"Whether an opt-out is offered before the third marketing message cannot be known: {unknown} may offer one."
    return Proof("opt-out", "unknown", says, _FIGURES, shown)


def _note(offer: Offer) -> str:
    return {"no": "offers no opt-out", "unknown": "may offer an opt-out, or not", "yes": "offers an opt-out"}[offer]


def _is_marketing(ways: Ways, way: Way) -> bool:
    return way.channel is not None and ways.is_marketing(way.element)


def _third(ways: Ways, offers: Mapping[str, Offer], enough: Iterable[Offer]) -> list[Way] | None:
    """The shortest path to a third marketing message of which none before offered an opt-out; None where none does."""

    def leads(state: tuple[str, int]) -> Iterator[tuple[Way, tuple[str, int]]]:
        name, count = state
        if count > SENT_BEFORE or name not in ways.flow.nodes:
            return
        for way in ways.out(name):
            marketing = _is_marketing(ways, way)
            if marketing and offers[name] in enough and count < SENT_BEFORE:
                continue
            yield way, (way.target, count + marketing)

    found = route([(ways.start, 0)], leads, lambda _, state: state[1] > SENT_BEFORE)
    return None if found is None else found[1]


# --- What a message offers -----------------------------------------------------------------------


def offer(ways: Ways, name: str, words: OptOutWords | None) -> Offer:
    """Whether whoever gets a message learns how to opt out: by a link, or by a word to answer with.

    Emails have a link of their own, at their head, where links are switched on. `unknown` where no project says
    whether there are links and words, and where the text has the link for some alone.
    """
    element, around = ways.element(name), ways.around
    parts = element.parts().values() if isinstance(element, Send) else ()
    found: list[Offer] = [_by_link(part, around.opt_out_links) for part in parts]
    if element.sends == "email":
        found.append("unknown" if around.opt_out_links is None else "yes" if around.opt_out_links else "no")
    sender = sender_named(element, element.sends or "", ways.flow.settings)
    facts = (around.senders or {}).get(sender)
    if words is None and (facts is None or facts.two_way):
        found += ["unknown" for part in parts if _CAPITALS.search(part.always_says())]
    elif words is not None and facts is not None and facts.two_way:
        found += ["yes" for part in parts if says_one(part.always_says(), words.get(sender, frozenset()))]
    return "yes" if "yes" in found else "unknown" if "unknown" in found else "no"


def _by_link(part: Template, links: bool | None) -> Offer:
    if not part.mentions(OPT_OUT_LINK) or links is False:
        return "no"
    return "yes" if links and part.always_prints(OPT_OUT_LINK) else "unknown"


_CAPITALS = re.compile(r"\b[^\W\d_a-z]{3,}\b")


def says_one(text: str, words: Iterable[str]) -> bool:
    """Whether a text names one of the words as people are told it: in capitals (STOP), so that it is no other word of
    the sentence. Of a script that has no capitals, the word itself."""
    return any(re.search(rf"(?<!\w){re.escape(word.upper())}(?!\w)", text) for word in words if word.strip())
