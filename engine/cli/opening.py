"""What commands work on, found by the names people give: the project, its database, a flow, an element, a contact.

Whatever cannot be found is said as a `Trouble`, with the name that was probably meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tactful.engine.cli import problems
from tactful.engine.cli.trouble import Trouble, caret, wrong_use
from tactful.engine.project import PROJECT_FILE, Project, find_project, load_project

if TYPE_CHECKING:
    from tactful.elements.contract import Contact, Element, Send
    from tactful.elements.options.condition import Condition
    from tactful.engine.compose import Engine
    from tactful.engine.store.database import Store
    from tactful.engine.store.tally import Observer
    from tactful.flows.load import Loaded
    from tactful.flows.model import AttributeType, Flow, Node, Surroundings

_FLOW_LINE = re.compile(r"^flow:[ \t]*(?:\"([^\"]*)\"|'([^']*)'|([^\s#]+))", re.MULTILINE)


# --- The project ---------------------------------------------------------------------------------


def project_file(given: Path | None, near: Path | None = None) -> Path | None:
    """The project file to use: the one given, or the nearest one; None where there is none near. Raises Trouble."""
    if given is None:
        found = find_project(near or Path.cwd())
        return None if found is None else shown(found)
    file = given / PROJECT_FILE if given.is_dir() else given
    if not file.is_file():
        what = f"there is no {PROJECT_FILE} in {given}" if given.is_dir() else f"there is no file {given}"
        raise wrong_use(what, f"`tactful init {given if given.is_dir() else given.parent}` lays out a project")
    return file


def load(file: Path) -> Project:
    """The project of a file. Raises Trouble, after printing its mistakes."""
    project, found = load_project(file)
    if project is None:
        errors = [each for each in found if each.severity == "error"]
        problems.show(errors, to_stderr=True, of_flows=False)
        raise Trouble(f"{file} has mistakes, so nothing can be done with this project", "mend what is named above")
    return project


def the_project(given: Path | None) -> Project:
    """The project to work on. Raises Trouble where there is none, or it is broken."""
    file = project_file(given)
    if file is None:
        raise wrong_use(
            f"there is no {PROJECT_FILE} here or in a folder above",
            "go to your project's folder, name it with --project, or make one with `tactful init my-shop`",
        )
    return load(file)


def surroundings(given: Path | None, near: Path) -> Surroundings:
    """What the project around a flow file declares; nothing where it stands alone. Raises Trouble."""
    from tactful.flows.model import LONE

    file = project_file(given, near)
    return LONE if file is None else load(file).surroundings()


def shown(path: Path) -> Path:
    """A path as people know it: from the folder they are in, where it lies below that."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


# --- The database --------------------------------------------------------------------------------


def database_file(project: Project) -> Path | None:
    """The SQLite file of a project; None where its database is something else."""
    scheme, _, rest = project.database_url().partition(":///")
    return Path(rest) if scheme.partition("+")[0] == "sqlite" and rest else None


@contextmanager
def the_engine(
    project: Project, *, create: bool = False, flows: bool = True, observer: Observer | None = None
) -> Iterator[Engine]:
    """The engine on a project's database. Only with `create` a database is made that is not there yet. Without
    `flows`, it does not look at the published flows: what must work always must not fail for one that is broken.
    Without an `observer` of its own, it is said where a command has to wait for its turn to write."""
    _look_for_database(project, create)
    from tactful.engine.cli.patience import Patience
    from tactful.engine.compose import open_engine_of

    engine = open_engine_of(project, Patience() if observer is None else observer)
    try:
        if flows:
            with engine.store.read() as tx:
                engine.host.flows.refresh(tx)
        yield engine
    finally:
        engine.close()


@contextmanager
def the_brake(project: Project, *, create: bool = False) -> Iterator[Store]:
    """A project's database for what must work always: whatever is wrong with a flow or a secret, and with the schema of
    an older version, which stays as it is. Only with `create` a database is made that is not there yet."""
    _look_for_database(project, create)
    from tactful.engine.cli.patience import Patience
    from tactful.engine.store.database import open_store
    from tactful.engine.upgrading import is_behind

    with closing(open_store(project.database_url())) as store:
        store.observer = Patience()
        if not is_behind(store):
            store.lay_out()
        yield store


def _look_for_database(project: Project, create: bool) -> None:
    """Raises Trouble where there is none and none is to be made."""
    file = database_file(project)
    if file is not None and not create and not file.exists():
        raise Trouble(
            f"there is no database {shown(file)} yet",
            "`tactful publish --all` and `tactful import contacts FILE` begin one",
        )
    if file is not None and file.is_dir():
        raise Trouble(f"the database {shown(file)} is a folder", "mend `database:` in the project file")


def needs_daemon(store: Store, what: str) -> None:
    """Say so where nothing will happen until the daemon runs."""
    from tactful.engine.cli.screen import note
    from tactful.engine.clock import SystemClock
    from tactful.engine.workers import working

    if not working(store, SystemClock().now()):
        note(f"{what} once `tactful serve` runs; it does not now.")


# --- Flows ---------------------------------------------------------------------------------------


def looks_like_file(name: str) -> bool:
    """Whether a flow's name means a file rather than an id."""
    return name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name


def flow_ids(files: Iterable[Path]) -> dict[str, Path]:
    """The ids that flow files declare, read off without loading them."""
    found: dict[str, Path] = {}
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if said := _FLOW_LINE.search(text):
            found.setdefault(said[1] or said[2] or said[3], file)
    return found


def flow_file(name: str, given: Path | None) -> Path:
    """The file of a flow, by its id or as it is. Raises Trouble."""
    if looks_like_file(name):
        path = Path(name)
        if path.is_dir():
            raise wrong_use(f"{name} is a folder, not a flow", "name the flow's file in it, or the flow's id")
        if not path.is_file():
            raise wrong_use(f"there is no file {name}")
        return path
    files = flow_ids(shown(file) for file in the_project(given).flow_files())
    if name not in files:
        raise wrong_use(f"there is no flow `{name}` in this project", _meant(name, files, "flows"))
    return files[name]


def load_flow(name: str, given: Path | None, catalogue: Mapping[str, type[Element]]) -> Flow:
    """A flow from its file, by its id or as a file. Raises Trouble, after printing its mistakes."""
    from tactful.flows.load import load_file

    file = flow_file(name, given)
    return sound(load_file(file, catalogue, surroundings(given, file)), file)


def sound(loaded: Loaded, file: Path) -> Flow:
    """A flow that loaded. Raises Trouble where it did not, after printing its mistakes."""
    if loaded.flow is None:
        problems.show(loaded.errors, to_stderr=True)
        raise Trouble(f"{file} has mistakes", "mend what is named above")
    return loaded.flow


def node_of(flow: Flow, element: str) -> Node:
    """An element of a flow by its id. Raises Trouble."""
    if element not in flow.nodes:
        raise wrong_use(f"flow `{flow.id}` has no element `{element}`", _meant(element, flow.nodes, "elements"))
    return flow.nodes[element]


def send_of(flow: Flow, element: str) -> Send:
    """A send of a flow by its id. Raises Trouble."""
    from tactful.elements.contract import Send

    node = node_of(flow, element)
    if not isinstance(node.element, Send):
        sends = [id for id, each in flow.nodes.items() if isinstance(each.element, Send)]
        hint = f"those that send are {', '.join(sends)}" if sends else None
        raise wrong_use(f"`{element}` is a {node.type} and sends nothing", hint)
    return node.element


def published(engine: Engine, name: str) -> str:
    """The id of a published flow, by its id or its file. Raises Trouble."""
    id = name
    if looks_like_file(name):
        file = flow_file(name, None)
        ids = list(flow_ids([file]))
        if not ids:
            raise wrong_use(f"{name} names no flow: it has no line `flow: its-id`")
        id = ids[0]
    flows = engine.host.flows.live.by_id
    if id not in flows:
        hint = _meant(id, flows, "published flows") if flows else "`tactful publish --all` publishes all flows"
        raise Trouble(f"no flow `{id}` is published", hint)
    return id


# --- Contacts ------------------------------------------------------------------------------------


def the_contact(engine: Engine, key: str) -> Contact:
    """A contact by their own id. Raises Trouble."""
    return contacts(engine, [key])[0]


def contacts(engine: Engine, keys: Sequence[str]) -> list[Contact]:
    """Contacts by their own ids, in the order asked. Raises Trouble at the first that does not exist."""
    from tactful.engine.reports import likely_contacts
    from tactful.engine.store import reading

    with engine.store.read() as tx:
        found = reading.contacts_by_key(tx, keys)
        for key in keys:
            if key not in found:
                likely = likely_contacts(tx, key)
                hint = f"did you mean `{likely[0]}`?" if likely else "`tactful import contacts FILE` brings contacts in"
                raise Trouble(f"there is no contact `{key}`", hint)
    return [found[key] for key in keys]


# --- What stands in options ----------------------------------------------------------------------


def json_object(text: str | None, option: str) -> dict[str, Any]:
    """The value of an option that takes a JSON object; empty for None. Raises Trouble."""
    import json

    if text is None:
        return {}
    from tactful.engine.api.fields import fault_in

    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        one_line = text.replace("\n", " ")
        hint = f"""quote it for the shell: {option} '{{"value": 35}}'"""
        raise wrong_use(f"{option} is not JSON: {error.msg.lower()}", hint, detail=caret(one_line, error.pos)) from None
    except RecursionError:
        raise wrong_use(f"{option} is nested too deeply") from None
    if not isinstance(found, dict):
        raise wrong_use(f"{option} must be a JSON object", f"""such as {option} '{{"value": 35}}'""")
    if fault := fault_in(found):
        raise wrong_use(f"{option}: {fault}")
    return found


def condition(text: str, option: str, attributes: Mapping[str, AttributeType] | None) -> Condition:
    """The value of an option that takes a condition on the contact. Raises Trouble."""
    from tactful.elements.options.condition import Condition
    from tactful.elements.options.mistake import Mistake

    try:
        found = Condition.parse(text)
        misfits = found.misfits(attributes) if attributes is not None else []
        if misfits:
            raise misfits[0]
    except Mistake as mistake:
        detail = caret(text, mistake.at) if mistake.at is not None else ""
        raise wrong_use(f"{option}: {mistake.message}", mistake.hint, detail=detail) from None
    strange = next((use for use in found.names if use.root != "contact"), None)
    if strange is not None:
        message = f"{option}: `{strange}` means nothing here, where nothing has happened yet"
        raise wrong_use(message, "use `contact.` attributes", detail=caret(text, strange.at))
    return found


def one_of(word: str, choices: Sequence[str], option: str) -> str:
    """The value of an option that takes one of some words. Raises Trouble."""
    if word not in choices:
        raise wrong_use(f"{option} cannot be `{word}`", _meant(word, choices, "choices"))
    return word


def _meant(word: str, choices: Iterable[str], what: str) -> str | None:
    from tactful.elements.options.mistake import meant

    there = list(choices)
    if hint := meant(word, there):
        return hint
    if not there:
        return None
    more = f" and {len(there) - 12} more" if len(there) > 12 else ""
    return f"the {what} are {', '.join(there[:12])}{more}"
