"""What may stand in `tactful.yaml`, and is seldom meant. None of it keeps anybody from working with the project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tactful.elements.options.channel import CHANNELS
from tactful.engine.project_options import KeywordRule, OptOut, PackRule, ProjectOptions
from tactful.engine.senders import HOW_TO_MAKE_A_SECRET, SHORTEST_SECRET, Sender
from tactful.flows.pieces import MapPiece, value_spot
from tactful.flows.problem import Report, quoted


def warn_of_options(file: Path, root: MapPiece, options: ProjectOptions, report: Report) -> None:
    """A password in the file, a folder of flows that is not there, a secret that is soon guessed."""

    def warn(option: str, code: str, message: str, hint: str) -> None:
        entry = root.entries[option]
        report.warning(value_spot(entry.piece, entry.spot), code, message, hint)

    if "database" in root.entries and isinstance(options.database, str) and _has_password(options.database):
        message = "a password stands here, in a file that is shared and kept for ever"
        hint = "put the address in an environment variable and write `{env: NAME_OF_THE_VARIABLE}`"
        warn("database", "secret-in-file", message, hint)
    if "flows" in root.entries and not (file.parent / options.flows).is_dir():
        message = f"there is no folder {quoted(str(options.flows))}, so there are no flows"
        hint = "make it, or name the one with the flow files, as seen from this file"
        warn("flows", "no-folder", message, hint)
    if options.secret is not None and options.secret.is_short(os.environ):
        message = f"the secret in {quoted(options.secret.env)} has fewer than {SHORTEST_SECRET} characters"
        hint = f"{HOW_TO_MAKE_A_SECRET} makes one, with which links of old messages are no longer known"
        warn("secret", "short-secret", message, hint)


def warn_of_senders(root: MapPiece, senders: Mapping[str, Sender], opt_out: OptOut, report: Report) -> None:
    """Senders from which nobody can opt out."""
    written = root.get("senders")
    for name, sender in senders.items():
        if CHANNELS[sender.channel].address != "phone" or opt_out.links.enabled:
            continue
        if not (sender.two_way and any(_blocks_for(name, rule) for rule in opt_out.keywords)):
            assert isinstance(written, MapPiece), "it was read"
            message = f"nobody can opt out from {quoted(name)}"
            hint = "add a keyword rule for STOP" if sender.two_way else "enable opt-out links"
            report.warning(written.entries[name].spot, "no-way-out", message, hint)


def _blocks_for(sender: str, rule: KeywordRule | PackRule) -> bool:
    blocks = isinstance(rule, PackRule) or rule.action == "block"
    return rule.enabled and blocks and rule.sender in (None, sender)


def _has_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.password) or any("password" in name for name, _ in parse_qsl(parts.query))
    except ValueError:
        return False
