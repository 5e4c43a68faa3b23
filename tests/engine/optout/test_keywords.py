"""What an answer means, rule by rule. The corpus beside this tells how well that fits what people write."""

from __future__ import annotations

import time
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tactful.elements.options.words import COURTESY, matches, normalise, unaccented
from tactful.engine.optout.automatic import why_automatic
from tactful.engine.optout.keywords import LONGEST, Decision, Rulebook, decide
from tactful.engine.optout.own_words import own_words
from tactful.engine.optout.packs import Pack, UnknownPack, Words, pack, pack_names
from tactful.engine.project_options import KeywordRule, PackRule

NUMBER = "+38595000111"


def rule(keyword: str, action: str = "block", **options: object) -> KeywordRule:
    return KeywordRule.model_validate({"keyword": keyword, "action": action, "level": "this_sender"} | options)


def of_pack(name: str, **options: object) -> PackRule:
    return PackRule.model_validate({"pack": name, "level": "any_sender"} | options)


def book(*rules: KeywordRule | PackRule, sender: str = NUMBER) -> Rulebook:
    return Rulebook(rules, sender, pack)


STOP = book(rule("STOP"), rule("START", "unblock"))
FCC = book(of_pack("us-fcc"))
ALL = book(*(of_pack(name) for name in pack_names()))


def meaning(text: str | None, rules: Rulebook = STOP, *, blocked: bool = False, **headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return decide(text, rules, blocked_now=blocked, headers=named).decision


# --- What acts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["stop", "STOP", " Stop! ", "“stop”", "\uff33\uff34\uff2f\uff30", "S\u200bTOP", "\u202bSTOP\u202c", "stop 🙏🏽"],
)
def test_a_keyword_acts_however_it_is_typed(text):
    assert meaning(text) == "block"
    assert meaning(text.lower().replace("stop", "start")) in {"unblock", "block"}


@pytest.mark.parametrize(
    "text", ["stop please", "Please stop now", "Stop. Thank you", "stop.thanks", "STOP\nthanks!", "stop svp"]
)
def test_stop_and_thank_you_is_not_missed(text):
    """Complaint 17: "Stop. Thank you" went unheard."""
    assert meaning(text) == "block"


@pytest.mark.parametrize(
    ("text", "packs"),
    [
        ("arrête merci", ["french"]),
        ("Stopp bitte", ["german"]),
        ("ODJAVA, molim vas", ["bosnian-croatian-serbian"]),
        ("Одјава, молим вас", ["bosnian-croatian-serbian"]),
        ("stop nu", ["dutch"]),
        ("Ret lütfen", ["turkish"]),
        ("LİSTEDEN ÇIK", ["turkish"]),
        ("listeden cik", ["turkish"]),
        ("desabonnement s il vous plait", ["french"]),
        ("ΔΙΑΓΡΑΦΉ", ["greek"]),
    ],
)
def test_every_pack_brings_its_courtesy_and_its_accents(text, packs):
    assert meaning(text, book(*map(of_pack, packs))) == "block"


def test_two_keywords_are_as_good_as_one():
    assert meaning("stop, unsubscribe, cancel!", FCC) == "block"


@pytest.mark.parametrize("text", ["stoooop", "STOPPPP", "s t o p", "S.T.O.P.", "s-t-o-p please"])
def test_letters_drawn_out_or_apart_are_one_word(text):
    assert meaning(text) == "block"


def test_all_seven_words_of_the_fcc():
    for word in ("stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"):
        found = decide(word.title(), FCC, blocked_now=False)
        assert (found.decision, found.keyword, found.level) == ("block", word, "any_sender")
        assert "47 CFR 64.1200(a)(10)" in found.why


# --- What a person must read ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["stop sending me this", "I said stop", "STOP 12345", "STOP1", "don't stop", "Which bus stop is it?", "STOP START"],
)
def test_a_keyword_inside_a_sentence_is_read_by_a_person(text):
    found = decide(text, STOP, blocked_now=False)
    assert (found.decision, found.keyword, found.level) == ("review", "STOP", "this_sender")
    assert found.reply is None
    assert not found.ends_here


@pytest.mark.parametrize(
    "text", ["I don't want these texts anymore", "leave us alone and remove me", "Wrong number", "🛑"]
)
def test_so_is_what_opts_out_in_other_words(text):
    assert meaning(text, FCC) == "review"


def test_and_a_keyword_with_a_web_address():
    assert meaning("stop https://spam.example") == "review"
    assert meaning("see https://acme.example/stop?id=1 or write to stop@acme.example") == "none"


# --- What means nothing --------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["nonstop", "Non-stop", "stopwatch", "unstoppable", "stopover", "Restart", "doorstop"])
def test_a_word_that_contains_a_keyword_is_another_word(text):
    """Complaint 18: people were opted out by any word with `stop` in it."""
    assert meaning(text, STOP) == "none"
    assert meaning(text, FCC) == "none"


@pytest.mark.parametrize("text", [None, "", " ", "\n", "\u200b", "...", "👍", "\ud800", "\x00"])
def test_no_text_means_nothing(text):
    found = decide(text, ALL, blocked_now=True)
    assert (found.decision, found.keyword, found.rule, found.level) == ("none", None, None, None)


def test_an_unblock_keyword_inside_a_sentence_means_nothing():
    found = decide("When do you start?", STOP, blocked_now=True)
    assert (found.decision, found.keyword, found.code, found.level) == ("none", "START", "sentence", None)


def test_who_asks_for_help_is_told_apart():
    found = decide("HELP please", FCC, blocked_now=False)
    assert (found.decision, found.keyword, found.code) == ("none", "help", "help")


# --- Blocked or not ------------------------------------------------------------------------------


@given(st.sampled_from(["stop", "start", "STOP 1", "hello", "unstop please", "end it", "help", ""]))
def test_what_is_decided_does_not_depend_on_being_blocked(text):
    assert decide(text, FCC, blocked_now=True) == decide(text, FCC, blocked_now=False)


def test_but_yes_unblocks_only_who_is_blocked():
    ctia = book(of_pack("ctia"))
    assert meaning("Yes please", ctia, blocked=True) == "unblock"
    assert decide("Yes please", ctia, blocked_now=False).code == "not-blocked"
    assert meaning("yes, I know the place", ctia, blocked=True) == "none"


def test_a_project_may_mark_a_word_of_its_own_as_conversational():
    own = book(rule("OK", "unblock", conversational=True), rule("GO", "unblock"))
    assert meaning("ok", own) == "none"
    assert meaning("ok", own, blocked=True) == "unblock"
    assert meaning("go", own) == "unblock"
    with pytest.raises(ValidationError, match="blocks does so"):
        rule("NO", "block", conversational=True)


def test_block_outranks_unblock():
    both = book(rule("GO", "unblock"), rule("GO", "block", level="any_sender"))
    found = decide("go", both, blocked_now=True)
    assert (found.decision, found.level) == ("block", "any_sender")


# --- Which rule ----------------------------------------------------------------------------------


def test_a_rule_of_one_sender_is_no_rule_of_another():
    """Complaint 16: STOP to one number disabled all."""
    rules = (rule("STOP", sender=NUMBER), rule("STOP", sender="80800", level="any_sender"))
    found = decide("stop", book(*rules), blocked_now=False)
    assert (found.rule, found.level) == (rules[0], "this_sender")
    assert decide("stop", book(*rules, sender="80800"), blocked_now=False).level == "any_sender"
    assert meaning("stop", book(*rules, sender="+4930123456")) == "none"


def test_a_rule_that_is_not_enabled_says_nothing():
    assert meaning("stop", book(rule("STOP", enabled=False), of_pack("us-fcc", enabled=False))) == "none"


def test_the_projects_own_rule_comes_before_a_pack_and_the_senders_before_all():
    general, narrow = rule("stop", level="any_sender"), rule("Stop", sender=NUMBER)
    found = decide("STOP please", book(of_pack("us-fcc", sender=NUMBER), general, narrow), blocked_now=False)
    assert (found.rule, found.keyword) == (narrow, "Stop")
    found = decide("STOP", book(of_pack("us-fcc"), general), blocked_now=False)
    assert found.rule == general


def test_a_rules_reply_is_for_what_it_does():
    spoken = book(rule("STOP", reply="Bye"), rule("START", "unblock", reply="Welcome", forward=True))
    stop, start = (decide(text, spoken, blocked_now=False) for text in ("stop", "start"))
    assert (stop.reply, stop.ends_here) == ("Bye", True)
    assert (start.reply, start.ends_here) == ("Welcome", False)
    ctia = book(of_pack("ctia", reply="Bye"))
    assert decide("quit", ctia, blocked_now=False).reply == "Bye"
    assert decide("start", ctia, blocked_now=False).reply is None
    assert decide("help", ctia, blocked_now=False).reply is None


# --- Answers of machines -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto-Submitted": "auto-replied"},
        {"auto-submitted": "auto-generated (vacation)"},
        {"X-Auto-Response-Suppress": "OOF, AutoReply"},
        {"Precedence": "auto_reply"},
        {"PRECEDENCE": " Bulk "},
        {"X-Autoreply": "yes"},
        {"Return-Path": "<>"},
        {"Content-Type": "multipart/report; report-type=disposition-notification"},
        {"Subject": "Automatic reply: Spring sale"},
        {"Subject": "AUTO: Ana is away"},
        {"Subject": "Out of Office Re: Spring sale"},
        {"Subject": "Abwesenheitsnotiz: Frühling"},
        {"Subject": "Réponse automatique : Soldes"},
        {"Subject": "Αυτόματη απάντηση: Προσφορά"},
        {"Subject": "Otomatik Yan\u0131t: İndirim"},
    ],
)
def test_a_vacation_reply_opts_nobody_out(headers):
    """Complaint 20: vacation answers were recorded as opt-outs."""
    found = decide("STOP", STOP, blocked_now=False, headers=headers)
    assert (found.decision, found.code, found.rule) == ("none", "automatic", None)
    assert found.why.startswith("no person wrote it: ")


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto-Submitted": "no"},
        {"Auto-Submitted": "No; by hand"},
        {"X-Auto-Response-Suppress": "None"},
        {"Precedence": "first-class"},
        {"Return-Path": "<ana@example.com>"},
        {"Content-Type": "text/plain"},
        {"Subject": "Re: Automatic reply: Spring sale"},
        {"Subject": "Auto repair"},
        {"Subject": "Away with you"},
    ],
)
def test_a_person_is_not_taken_for_a_machine(headers):
    assert decide("STOP", STOP, blocked_now=False, headers=headers).decision == "block"


@pytest.mark.parametrize(
    "text",
    [
        "Liked “Sale today. Reply STOP to opt out”",
        "Reacted 🙄 to “Reply STOP to opt out”",
        "Automatic reply: back on Monday. Stop by then!",
        "This is an automated response. Stop by on Monday.",
    ],
)
def test_nor_do_texts_that_say_they_are_automatic(text):
    assert decide(text, STOP, blocked_now=False).code == "automatic"


def test_a_like_with_words_of_ones_own_is_read():
    assert meaning("Liked “Sale today” but please stop") == "review"
    assert why_automatic("Disliked it. Stop.", {}) is None


# --- Quotations, signatures, subjects ------------------------------------------------------------

OURS = "Spring sale! Reply STOP to opt out."


@pytest.mark.parametrize(
    "quotation",
    [
        f"> {OURS}\n> Acme",
        f"On Mon, 2 Mar 2026 at 09:00, Acme <news@acme.example> wrote:\n> {OURS}",
        f"On Mon, 2 Mar 2026 at 09:00, Acme <news@acme.example>\nwrote:\n\n> {OURS}",
        f"Am 02.03.2026 um 09:00 schrieb Acme <news@acme.example>:\n{OURS}",
        f"Le 2 mars 2026 à 09:00, Acme a écrit :\n{OURS}",
        f"W dniu 2.03.2026 o 09:00, Acme pisze:\n{OURS}",
        f"-----Original Message-----\n{OURS}",
        f"________________________________\n{OURS}",
        f"From: Acme <news@acme.example>\nSent: Monday\nTo: Ana\nSubject: Sale\n\n{OURS}",
        f"Von: Acme\nGesendet: Montag\nAn: Ana\nBetreff: Rabatt\n\n{OURS}",
        "-- \nJohn\nStop & Shop Inc.",
    ],
)
def test_what_is_quoted_was_not_said(quotation):
    assert meaning(f"See you at five\n\n{quotation}") == "none"
    assert meaning(f"Stop, thanks\n\n{quotation}") == "block"
    assert meaning(f"I said stop\n\n{quotation}") == "review"


def test_an_answer_below_the_quotation_is_heard():
    assert meaning(f"> {OURS}\n\nstop") == "block"
    assert meaning(f"On Mon, 2 Mar 2026, Acme wrote:\n> {OURS}\n\nwhat time?") == "none"


def test_where_everything_is_a_quotation_a_person_reads_it():
    assert meaning(f"On Mon, 2 Mar 2026, Acme wrote:\n{OURS}\n\nplease stop") == "review"
    assert meaning("> STOP") == "review"


def test_a_signature_is_not_part_of_the_request():
    assert meaning("Please stop.\n\nKind regards,\nMaria Smith") == "block"
    assert meaning("Please stop.\n\nSent from my iPhone") == "block"
    assert own_words("Hi.\n\nBest,\nMaria").signed == "Maria"


def test_but_what_is_asked_there_is_heard():
    assert meaning("See you.\nRegards\nstop texting me") == "review"


@pytest.mark.parametrize(
    ("subject", "text", "expected"),
    [
        ("unsubscribe", "", "block"),
        ("STOP", "Thank you!", "block"),
        ("Unsubscribe", "This message was automatically generated by Gmail.", "block"),
        ("cancel", "my table on Monday, please", "review"),
        ("please stop these mails", "Kind regards", "review"),
        ("Question", "stop", "block"),
        ("Re: Reply STOP to opt out", "", "none"),
        ("AW: Stop", "Bis morgen", "none"),
        ("start", "", "unblock"),
        ("start", "of the sale?", "none"),
        ("unsubscribe", "start", "review"),
    ],
)
def test_a_subject_counts_where_the_writer_wrote_it(subject, text, expected):
    assert meaning(text, FCC, Subject=subject) == expected


# --- Hostile texts -------------------------------------------------------------------------------


@given(st.text(max_size=300) | st.text(alphabet="stop STOP>\n:@-.…*wrote123 nó", max_size=300), st.booleans())
def test_any_text_is_decided(text, blocked):
    found = decide(text, ALL, blocked_now=blocked, headers={"Subject": text, text: text})
    assert isinstance(found, Decision)
    assert (found.rule is None) == (found.keyword is None)
    assert (found.level is not None) == (found.decision != "none")
    assert found.why


@given(st.text(max_size=200))
def test_what_a_word_list_matches_a_rule_matches(text):
    """`wait_for_reply` and keyword rules read words alike."""
    text = " ".join(text.split())
    if matches(text, ["stop"]) and "@" not in text and "://" not in text:
        assert meaning(text) == "block"


@pytest.mark.parametrize(
    "piece",
    [
        "stop ", "a", "s t o p ", ">", "> stop\n", "\n", "On 1 wrote:\n", "x:\n", "From: a\nTo: b\n", "don't want ",
        "keine möchte ", "не хочу ", "_" * 9 + "\n", "-", "--a", "@", "a@b", "🛑", "\u0301", "o" * 50 + " ", "\u200b",
        "please ", "Regards\n", "ﷺ", "İ", "1a", "“", "Liked “", "e\u0301\u0301\u0301",
    ],
)  # fmt: skip
def test_a_megabyte_of_anything_is_soon_done_with(piece):
    text = piece * (1_000_000 // len(piece))
    began = time.perf_counter()
    decide(text, ALL, blocked_now=True, headers={"Subject": text})
    assert time.perf_counter() - began < 3  # a tenth of it, on a machine at rest


def test_only_so_much_of_a_text_counts():
    assert meaning("word " * (LONGEST // 5 - 10) + "stop texting") == "review"
    assert meaning("word " * LONGEST + "stop texting") == "none"


# --- Packs ---------------------------------------------------------------------------------------


def words(entries: tuple[Words, ...]) -> set[str]:
    return {unaccented(normalise(word)) for entry in entries for word in entry.words}


def test_the_packs_there_are():
    assert {"us-fcc", "ctia", "english", "german", "bosnian-croatian-serbian", "turkish"} <= set(pack_names())
    assert len(pack_names()) == 27
    assert pack("german") is pack("german")
    with pytest.raises(UnknownPack, match="did you mean `german`"):
        pack("germn")
    with pytest.raises(UnknownPack):
        pack("../packs/german")


@pytest.mark.parametrize("name", pack_names())
def test_each_word_of_a_pack_does_what_it_is_listed_for(name):
    found: Pack = pack(name)
    rules = book(of_pack(name))
    for entries, expected in ((found.block, "block"), (found.unblock, "unblock"), (found.help, "none")):
        for entry in entries:
            for word in entry.words:
                assert meaning(word.upper(), rules, blocked=True) == expected, word
                assert meaning(unaccented(normalise(word)), rules, blocked=True) == expected, word
                if entry.conversational:
                    assert meaning(word, rules) == "none"
    for entry in found.review:
        for word in entry.words:
            said = word.replace("*", "").replace("…", "xyz")
            assert meaning(said, rules) in {"review", "block"}, word
            assert entry.alone or meaning(f"xyz {said} xyz", rules) == "review", word


@pytest.mark.parametrize("name", pack_names())
def test_a_pack_lists_no_word_for_two_things(name):
    found = pack(name)
    kinds = [words(found.block), words(found.unblock), words(found.help), words(found.courtesy), words(found.negations)]
    for one, other in combinations(kinds, 2):
        assert not one & other
    alone = words(tuple(entry for entry in found.review if entry.alone))
    assert not alone & (words(found.unblock) | words(found.help) | words(found.courtesy))
    assert not any(entry.conversational for entry in found.block + found.help + found.review)
    assert not any(entry.alone for entry in found.block + found.unblock + found.help + found.courtesy)


def test_no_word_that_blocks_is_another_word_in_another_language():
    blocks = {word: name for name in pack_names() for word in words(pack(name).block)}
    for name in pack_names():
        found = pack(name)
        harmless = words(found.unblock) | words(found.help) | words(found.courtesy) | words(found.negations)
        assert {word: (blocks[word], name) for word in harmless & set(blocks)} == {}


def test_courtesy_turns_nothing_round():
    negations = {word for name in pack_names() for word in words(pack(name).negations)}
    assert not negations & {unaccented(normalise(word)) for word in COURTESY}


def test_not_in_one_language_is_no_courtesy_in_another():
    """Dutch and Swedish `nu` is "now", Romanian `nu` is "not"."""
    assert meaning("stop nu", book(of_pack("dutch"))) == "block"
    assert meaning("nu opriți", book(of_pack("romanian"), of_pack("dutch"), of_pack("swedish"))) == "review"


@pytest.mark.parametrize("text", ["end", "fin", "no", "nein", "slut", "Schluss", "koniec", "para", "uit", "av", "son"])
def test_false_friends_block_nobody(text):
    """What the end is called in one language is something else in the next."""
    languages = book(*(of_pack(name) for name in pack_names() if name not in {"us-fcc", "ctia"}))
    assert meaning(text, languages) in {"none", "review"}
