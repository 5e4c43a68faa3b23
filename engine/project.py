"""The project: what `tactful.yaml` says, checked and free of YAML."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tactful.elements.options.duration import Duration
from tactful.engine.http_options import Http, Webhook
from tactful.engine.optout.countries import country, rules_of
from tactful.engine.project_options import KeywordRule, OptOut, PackRule
from tactful.engine.rules.permission import Limit, Policy
from tactful.engine.senders import Secret, Sender
from tactful.flows.model import AttributeType, SenderFacts, Surroundings
from tactful.flows.problem import Problem

PROJECT_FILE = "tactful.yaml"
SCENARIO_ENDINGS = (".flowtest.yaml", ".flowtest.yml")
RATES_ENDINGS = (".rates.yaml", ".rates.yml")
"""How the files end that say what a simulated crowd does."""


class NotSet(ValueError):
    """An environment variable the project relies on is not set; the message names it."""


class Project(BaseModel):
    """A project that loaded. Folders are absolute; senders keep the order of the file.

    `contact` and `senders` are None where the file does not declare them: the checks of flows then do not
    complain of any. `http` is None where the file has no such section: then nothing listens.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    file: Path
    database: str | Secret
    flows: Path
    contact: Mapping[str, AttributeType] | None = None
    senders: Mapping[str, Sender] | None = None
    limits: tuple[Limit, ...] = ()
    transactional: frozenset[str] = frozenset()
    require_consent: frozenset[str] = frozenset()
    countries: tuple[str, ...] = ()
    keep_journeys: Duration | None = None
    opt_out: OptOut = OptOut()
    secret: Secret | None = None
    region: str | None = None
    http: Http | None = None
    webhooks: tuple[Webhook, ...] = ()

    @property
    def root(self) -> Path:
        """The folder the project file stands in."""
        return self.file.parent

    def database_url(self, environ: Mapping[str, str] = os.environ) -> str:
        """The database's address, a relative SQLite file taken from the project's folder. Raises NotSet."""
        if isinstance(self.database, str):
            return from_folder(self.database, self.root)
        url = self.database.value(environ)
        if not url:
            raise NotSet(f"the environment variable {self.database.env}, the database's address, is not set")
        return from_folder(url, self.root)

    def own_secret(self, environ: Mapping[str, str] = os.environ) -> str | None:
        """The secret that the project brings (`keyring.py`); None where it brings none. Raises NotSet."""
        if self.secret is None:
            return None
        found = self.secret.value(environ)
        if not found:
            raise NotSet(f"the environment variable {self.secret.env}, the project's secret, is not set")
        return found

    @property
    def policy(self) -> Policy:
        """What the project asks of all its messages."""
        return Policy(self.limits, self.require_consent, tuple(rules_of(name) for name in self.countries))

    @property
    def keyword_rules(self) -> tuple[KeywordRule | PackRule, ...]:
        """What answers mean: the project's own rules, then those that its countries ask for."""
        packs = [
            PackRule(pack=rules.keywords, level="any_sender", sender=name)
            for rules in map(country, self.countries)
            for name, sender in (self.senders or {}).items()
            if rules.keywords is not None and sender.two_way and sender.channel in rules.channels
        ]
        return (*self.opt_out.keywords, *packs)

    @property
    def keep_history(self) -> Duration:
        """How long the history of opt-outs is kept: as long as the project says, or a country of it asks for."""
        asked = [found for name in self.countries if (found := country(name).keep_history) is not None]
        return max([self.opt_out.keep_history, *asked], key=lambda each: each.longest_ms)

    def flow_files(self) -> list[Path]:
        """The files that are flows, by name: every YAML file in the flows' folder and below but the project
        file, scenarios and rates, and nothing in hidden folders, nor in those of projects of their own."""
        return flow_files_in(self.flows)

    def surroundings(self) -> Surroundings:
        """What the checks of a flow want to know of the project around it."""
        senders = None
        if self.senders is not None:
            senders = {
                name: SenderFacts(sender.channel, sender.two_way, sender.learns)
                for name, sender in self.senders.items()
            }
        return Surroundings(self.contact, senders, self.transactional, self.opt_out.links.enabled)


def flow_files_in(folder: Path) -> list[Path]:
    """The files in a folder and below that are flows, by name; see `Project.flow_files`."""

    def may_be_flow(file: Path) -> bool:
        below = file.relative_to(folder)
        if any(part.startswith(".") for part in below.parts) or file.name.endswith((*SCENARIO_ENDINGS, *RATES_ENDINGS)):
            return False
        # A folder below with a project file is a project of its own, with senders and elements of its own.
        another = any((folder / each / PROJECT_FILE).is_file() for each in below.parents[:-1])
        return file.name != PROJECT_FILE and not another

    found = (file for ending in ("*.yaml", "*.yml") for file in folder.rglob(ending))
    return sorted(file for file in found if file.is_file() and may_be_flow(file))


def find_project(start: Path) -> Path | None:
    """The nearest project file: in a folder (or the folder of a file), or one above it; None if nowhere."""
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder / PROJECT_FILE
    return None


def load_project(path: Path) -> tuple[Project | None, tuple[Problem, ...]]:
    """Load a project file, or tell all that is wrong with it: None where there is an error, and all problems.

    Problems name the file as `path` does. A file that cannot be read is a problem too; nothing is raised.
    """
    from tactful.engine.project_reading import read_project  # with the YAML reader, which few callers need

    return read_project(path)


def from_folder(url: str, folder: Path) -> str:
    """The address of a database, a relative SQLite file taken from a folder."""
    scheme, _, rest = url.partition(":///")
    if scheme.partition("+")[0] != "sqlite" or not rest or rest.startswith(("/", ":memory:", "file:")):
        return url
    return f"{scheme}:///{folder / rest}"
