"""Reads `tactful.yaml` into a `Project`, or tells all that is wrong with it, each at its place.

The file is fitted to its models part by part, so that a message can name what it is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import BaseModel

from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.words import normalise
from tactful.elements.options.written import kind_of
from tactful.engine.addresses import BadAddress, email_address, phone_number
from tactful.engine.http_options import Http, HttpLimits, HttpOptions, KeyOptions, Listen, Webhook
from tactful.engine.optout.packs import pack_names
from tactful.engine.project import Project
from tactful.engine.project_options import (
    KEEP_HISTORY,
    KeywordRule,
    LimitOptions,
    Links,
    OptOut,
    OptOutOptions,
    PackRule,
    ProjectOptions,
)
from tactful.engine.project_warnings import warn_of_options, warn_of_senders
from tactful.engine.rules.permission import Limit
from tactful.engine.senders import AnySender, ConsoleSender, InfobipSender, Sender, SmtpSender, TwilioSender, tracks
from tactful.flows.fit import Owner, fit
from tactful.flows.model import AttributeType, Place
from tactful.flows.pieces import Entry, ListPiece, MapPiece, Piece, ScalarPiece, value_spot
from tactful.flows.problem import Problem, Report, listed, quoted
from tactful.flows.source import read
from tactful.flows.text import LARGEST, Spot

_Read = TypeVar("_Read")
_Model = TypeVar("_Model", bound=BaseModel)


def read_project(path: Path) -> tuple[Project | None, tuple[Problem, ...]]:
    """As `load_project`, which is the name to call it by."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        message = f"the file cannot be read: {why}"
        return None, (Problem(Place(str(path), 1, 1), "error", "file-unreadable", message),)
    document, found = read(str(path), raw)
    report = Report(found)
    project = None
    if document is not None:
        root: Piece = document.root
        if isinstance(root, ScalarPiece) and root.value is None:  # an empty file is a project, with nothing in it
            root = MapPiece(document.source, 0, 0, flow=False)
        if isinstance(root, MapPiece):
            project = _Reading(path.absolute(), root, report).project()
        else:
            message = f"the file is {kind_of(root.plain())}, not a mapping (`key: value`)"
            report.error(root.spot, "wrong-type", message, "begin with `senders:`, for example")
    return None if report.failed else project, _without_secrets(report.problems(str(path)))


_MAY_HOLD_A_SECRET = ("secret-in-file", "unknown-database", "bad-url")


def _without_secrets(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """The problems, but lines that may hold a secret are not shown: what is printed ends up in logs."""
    secret = {problem.place.line for problem in problems if problem.code in _MAY_HOLD_A_SECRET}
    return tuple(
        replace(problem, source_line=None) if problem.place.line in secret else problem for problem in problems
    )


_TYPES: tuple[AttributeType, ...] = get_args(AttributeType)
_OTHER_WORDS = {
    "string": "text", "str": "text", "int": "number", "integer": "number", "float": "number",
    "bool": "boolean", "datetime": "date", "array": "list", "tags": "list",
}  # fmt: skip
_OWN = frozenset({"id", "email", "phone", "time_zone", "tags"})
_NAME = re.compile(r"[^\W\d]\w{0,99}")
_VIA: Mapping[str, type[AnySender]] = {
    "console": ConsoleSender, "smtp": SmtpSender, "infobip": InfobipSender, "twilio": TwilioSender
}  # fmt: skip
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_NAMED_SENDER = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ._&-]{1,11}")
_ELSEWHERE = {
    "quiet_hours": "quiet hours stand in a flow's `settings:`",
    "time_zone": "a time zone stands in a flow's `settings:`",
}


class _Reading:
    """One project file being read; `report` gathers what is wrong."""

    def __init__(self, file: Path, root: MapPiece, report: Report) -> None:
        self._file = file
        self._root = root
        self._report = report

    def project(self) -> Project | None:
        """The project; None, or one with parts left out, where something is reported."""
        for key, hint in _ELSEWHERE.items():
            if entry := self._root.entries.get(key):
                self._report.error(entry.spot, "unknown-option", f"{quoted(key)} does not stand here", hint)
        owner = Owner(self._file.name, self._root.spot, frozenset(_ELSEWHERE))
        options = fit(ProjectOptions, self._root, owner, self._report)
        contact = self._section("contact", self._contact)
        senders = self._section("senders", self._senders)
        limits = self._limits()
        opt_out = self._section("opt_out", lambda piece: self._opt_out(piece, senders)) or OptOut()
        self._check_tracking(senders)
        http = self._section("http", self._http)
        webhooks = self._webhooks()
        warn_of_senders(self._root, senders or {}, opt_out, self._report)
        if options is None:
            return None
        warn_of_options(self._file, self._root, options, self._report)
        return Project(
            file=self._file,
            database=options.database,
            flows=(self._file.parent / options.flows).resolve(),
            contact=contact,
            senders=senders,
            limits=limits,
            transactional=frozenset(options.transactional),
            require_consent=frozenset(options.require_consent),
            countries=options.countries,
            keep_journeys=options.keep_journeys,
            opt_out=opt_out,
            secret=options.secret,
            region=options.region,
            http=http,
            webhooks=webhooks,
        )

    def _section(self, name: str, read_it: Callable[[MapPiece], _Read]) -> _Read | None:
        entry = self._root.entries.get(name)
        piece = None if entry is None else self._mapping(entry.piece, name, entry.spot)
        return None if piece is None else read_it(piece)

    def _mapping(self, piece: Piece, name: str, key: Spot) -> MapPiece | None:
        if isinstance(piece, MapPiece):
            return piece
        self._wrong_kind(piece, name, key, "a mapping (`key: value`)")
        return None

    def _items(self, entry: Entry | None) -> Iterator[tuple[MapPiece, str, Spot]]:
        """The mappings of a list, each with a name for messages and its place."""
        if entry is None:
            return
        if not isinstance(entry.piece, ListPiece):
            self._wrong_kind(entry.piece, entry.key, entry.spot, "a list (`- …`)")
            return
        for number, item in enumerate(entry.piece.items, 1):
            name = f"{entry.key}, item {number}"
            piece = self._mapping(item, name, item.spot)
            if piece is not None:
                yield piece, name, item.spot

    def _wrong_kind(self, piece: Piece, name: str, key: Spot, wanted: str) -> None:
        spot = value_spot(piece, key)
        if isinstance(piece, ScalarPiece) and piece.value is None:
            self._report.error(spot, "empty", f"{quoted(name)} is empty")
        else:
            kind = kind_of(piece.plain())
            self._report.error(spot, "wrong-type", f"{quoted(name)} must be {wanted}, not {kind}")

    # --- Contacts, limits ---

    def _contact(self, piece: MapPiece) -> Mapping[str, AttributeType]:
        found: dict[str, AttributeType] = {}
        for entry in piece.all_entries():
            if entry.key in _OWN:
                message = f"every contact has {quoted(entry.key)} already"
                self._report.error(entry.spot, "own-attribute", message, "leave it out")
                continue
            if not _NAME.fullmatch(entry.key) or entry.key.startswith("__"):
                message = f"{quoted(entry.key)} cannot be the name of an attribute"
                self._report.error(entry.spot, "bad-name", message, "use letters, digits and _")
                continue
            written = entry.piece.text if isinstance(entry.piece, ScalarPiece) else None
            kind = next((kind for kind in _TYPES if kind == written), None)
            if kind is None:
                other = _OTHER_WORDS.get((written or "").lower())
                hint = f"write {quoted(other)}" if other else self._report.meant(written or "", _TYPES)
                message = f"{quoted(entry.key)} must be {listed(_TYPES, 'or')}"
                self._report.error(value_spot(entry.piece, entry.spot), "bad-choice", message, hint)
                continue
            found[entry.key] = kind
        return found

    def _limits(self) -> tuple[Limit, ...]:
        fitted = [
            fit(LimitOptions, piece, Owner(name, spot), self._report)
            for piece, name, spot in self._items(self._root.entries.get("limits"))
        ]
        return tuple(options.limit() for options in fitted if options is not None)

    # --- Senders ---

    def _senders(self, piece: MapPiece) -> Mapping[str, Sender]:
        found: dict[str, Sender] = {}
        for entry in piece.all_entries():
            options = self._mapping(entry.piece, entry.key, entry.spot)
            sender = None if options is None else self._sender(entry, options)
            if sender is not None:
                found[entry.key] = sender
        return found

    def _sender(self, entry: Entry, piece: MapPiece) -> Sender | None:
        via = piece.entries.get("via")
        if via is None:
            hint = f"there are {listed(_VIA)}"
            self._report.error(entry.spot, "missing-option", f"{quoted(entry.key)} needs `via`", hint)
            return None
        word = via.piece.text if isinstance(via.piece, ScalarPiece) else ""
        model = _VIA.get(word)
        if model is None:
            hint = self._report.meant(word, _VIA) or f"there are {listed(_VIA)}"
            spot = value_spot(via.piece, via.spot)
            self._report.error(spot, "unknown-via", f"there is no way out {quoted(word)}", hint)
            return None
        sender = fit(model, piece, Owner(entry.key, entry.spot), self._report)
        if sender is None:
            return None
        try:
            answerable = _answerable(entry.key, sender.channel)
        except Mistake as mistake:
            self._report.error(entry.spot, mistake.code, mistake.message, mistake.hint)
            return None
        if not answerable and sender.two_way:
            if "two_way" in sender.model_fields_set:
                spot = value_spot(piece.entries["two_way"].piece, piece.entries["two_way"].spot)
                message = f"nobody can answer {quoted(entry.key)}"
                self._report.error(spot, "one-way", message, "leave out `two_way`, or write `two_way: false`")
            sender = sender.model_copy(update={"two_way": False})
        if isinstance(sender, ConsoleSender) and sender.folder is not None:
            sender = sender.model_copy(update={"folder": (self._file.parent / sender.folder).resolve()})
        assert isinstance(sender, ConsoleSender | SmtpSender | InfobipSender | TwilioSender)
        return sender

    def _check_tracking(self, senders: Mapping[str, Sender] | None) -> None:
        """Pixels and click links need somewhere to lead."""
        opt_out, written = self._root.get("opt_out"), self._root.get("senders")
        if isinstance(opt_out, MapPiece) and "base_url" in opt_out.entries:
            return
        for name, sender in (senders or {}).items():
            if tracks(sender):
                assert isinstance(written, MapPiece)
                piece = written.entries[name].piece
                assert isinstance(piece, MapPiece)
                hint = "write `opt_out: {base_url: https://…}`, where this engine answers, or leave `track` out"
                spot = piece.entries["track"].spot
                self._report.error(spot, "links-lead-nowhere", "`track` needs a `base_url` to lead to", hint)

    # --- Opt-outs ---

    def _opt_out(self, piece: MapPiece, senders: Mapping[str, Sender] | None) -> OptOut | None:
        options = fit(OptOutOptions, piece, Owner("opt_out", piece.spot), self._report)
        rules = self._rules(piece.entries.get("keywords"), senders)
        base_url = None if options is None else options.base_url
        links = self._links(piece.entries.get("links"), "base_url" in piece.entries)
        keep = KEEP_HISTORY if options is None else options.keep_history
        if (entry := piece.entries.get("keep_history")) is not None and keep.longest_ms < KEEP_HISTORY.longest_ms:
            message = f"the law may ask you to keep it longer than {keep}: 47 CFR 64.1200(d)(6) says five years"
            self._report.warning(value_spot(entry.piece, entry.spot), "kept-too-short", message, "write `5 years`")
        return OptOut(base_url=base_url, keywords=rules, links=links, keep_history=keep)

    def _links(self, entry: Entry | None, lead_somewhere: bool) -> Links:
        if entry is None:
            return Links(enabled=lead_somewhere)
        piece = self._mapping(entry.piece, "links", entry.spot)
        links = None if piece is None else fit(Links, piece, Owner("links", entry.spot), self._report)
        if links is None or piece is None:
            return Links(enabled=False)
        if links.enabled and not lead_somewhere:
            spot = piece.entries["enabled"].spot if "enabled" in piece.entries else entry.spot
            hint = "write `base_url: https://…` above, or `enabled: false`"
            self._report.error(spot, "links-lead-nowhere", "links need a `base_url` to lead to", hint)
        return links

    def _rules(self, entry: Entry | None, senders: Mapping[str, Sender] | None) -> tuple[KeywordRule | PackRule, ...]:
        found: list[KeywordRule | PackRule] = []
        places: dict[tuple[str | None, str], Spot] = {}
        for piece, name, spot in self._items(entry):
            rule: KeywordRule | PackRule | None
            if "pack" in piece.entries:
                rule = fit(PackRule, piece, Owner(name, spot), self._report)
                if rule is not None and rule.pack not in (packs := pack_names()):
                    hint = self._report.meant(rule.pack, packs) or f"there are {listed(packs)}"
                    at = value_spot(piece.entries["pack"].piece, piece.entries["pack"].spot)
                    self._report.error(at, "unknown-pack", f"there is no pack {quoted(rule.pack)}", hint)
            else:
                rule = fit(KeywordRule, piece, Owner(name, spot), self._report)
            if rule is None:
                continue
            self._check_rule_sender(rule, piece, senders)
            if isinstance(rule, KeywordRule) and rule.enabled:
                same = (rule.sender, normalise(rule.keyword))
                if first := places.get(same):
                    message = f"there is a rule for {quoted(rule.keyword)} already"
                    hint = f"the first one is on line {first.place.line}"
                    self._report.error(spot, "duplicate-keyword", message, hint)
                places.setdefault(same, spot)
            found.append(rule)
        return tuple(found)

    def _check_rule_sender(
        self, rule: KeywordRule | PackRule, piece: MapPiece, senders: Mapping[str, Sender] | None
    ) -> None:
        if rule.sender is None or senders is None:
            return
        spot = value_spot(piece.entries["sender"].piece, piece.entries["sender"].spot)
        written = self._root.entries["senders"].piece
        declared = written.entries if isinstance(written, MapPiece) else {}
        if rule.sender not in declared:
            hint = self._report.meant(rule.sender, declared)
            self._report.error(spot, "unknown-sender", f"there is no sender {quoted(rule.sender)}", hint)
        elif rule.sender in senders and not senders[rule.sender].two_way:
            message = f"nobody can answer {quoted(rule.sender)}, so the rule never acts"
            self._report.error(spot, "one-way", message, "use opt-out links for it")

    # --- HTTP ---

    def _http(self, piece: MapPiece) -> Http | None:
        options = fit(HttpOptions, piece, Owner("http", piece.spot), self._report)
        others = {name: self._part(piece, name, Listen) for name in ("public", "watch")}
        limits = self._part(piece, "limits", HttpLimits) or HttpLimits()
        keys = self._keys(piece.entries.get("keys"))
        if options is None:
            return None
        taken = {(options.host, options.port): "the API"}
        for name, other in others.items():
            if other is None:
                continue
            if by := taken.get((other.host, other.port)):
                message = f"this is the address of {by} already"
                self._report.error(piece.entries[name].spot, "same-address", message, "leave it out, or name another")
            taken[other.host, other.port] = f"`{name}`"
        return Http(host=options.host, port=options.port, **others, keys=keys, limits=limits)

    def _part(self, of: MapPiece, name: str, model: type[_Model]) -> _Model | None:
        entry = of.entries.get(name)
        piece = None if entry is None else self._mapping(entry.piece, name, entry.spot)
        return None if piece is None or entry is None else fit(model, piece, Owner(name, entry.spot), self._report)

    def _keys(self, entry: Entry | None) -> tuple[KeyOptions, ...]:
        found: list[KeyOptions] = []
        names: dict[str, Spot] = {}
        for piece, name, spot in self._items(entry):
            key = fit(KeyOptions, piece, Owner(name, spot), self._report)
            if key is not None:
                self._once(names, key.name, spot, "duplicate-name", f"there is a key {quoted(key.name)} already")
                found.append(key)
        return tuple(found)

    def _webhooks(self) -> tuple[Webhook, ...]:
        found: list[Webhook] = []
        urls: dict[str, Spot] = {}
        for piece, name, spot in self._items(self._root.entries.get("webhooks")):
            webhook = fit(Webhook, piece, Owner(name, spot), self._report)
            if webhook is not None:
                self._once(urls, webhook.url, spot, "duplicate-webhook", "this address is told already")
                found.append(webhook)
        return tuple(found)

    def _once(self, places: dict[str, Spot], name: str, spot: Spot, code: str, message: str) -> None:
        if first := places.get(name):
            self._report.error(spot, code, message, f"the first one is on line {first.place.line}")
        places.setdefault(name, spot)


def _answerable(sender: str, channel: str) -> bool:
    """Whether people can answer a sender of this name. Raises Mistake for a name no sender there has."""
    kind = CHANNELS[channel].address
    try:
        if kind == "email":
            spelt = email_address(sender)
        elif kind == "phone" and sender.startswith("+"):
            spelt = phone_number(sender)
        else:
            spelt = sender
    except BadAddress as bad:
        raise Mistake(f"{quoted(sender)} cannot send {channel}: {bad}", code="bad-sender") from None
    if spelt != sender:
        raise Mistake(f"{quoted(sender)} is spelt {quoted(spelt)}", hint=f"write {quoted(spelt)}", code="bad-sender")
    if kind != "phone" or sender.startswith("+"):
        return kind != "push"
    if channel == "sms" and _SHORT_CODE.fullmatch(sender):
        return True
    if channel == "sms" and _NAMED_SENDER.fullmatch(sender):
        return False
    hint = "a number with + and its country code"
    if channel == "sms":
        hint += ", a short code, or a name of at most 11 letters and digits"
    raise Mistake(f"{quoted(sender)} cannot send {channel}", hint=hint, code="bad-sender")
