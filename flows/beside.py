"""The texts a flow names with `{file: …}`: beside it on a disk, or stored together with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Protocol

from tactful.elements.options.mistake import Mistake, meant
from tactful.flows.problem import quoted
from tactful.flows.text import LARGEST, Source, Unreadable, decode

_MOST_LISTED = 2_000  # files looked at for one that was meant


class Texts(Protocol):
    """Where texts come from. `sources` are those read so far, by the name the flow used."""

    @property
    def sources(self) -> dict[str, Source]: ...

    def read(self, name: str) -> str:
        """The text of a file, its lines ended by a line feed. Raises `Mistake` (without `at`) where there is none."""
        ...


class Folder:
    """The folder a flow file stands in. Nothing outside of it is read, not through a link either.

    `shown` is put before a file's name in problems.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sources: dict[str, Source] = {}

    def read(self, name: str) -> str:
        if name in self.sources:
            return self.sources[name].text
        path = self.folder / _inside(name)
        try:
            real = path.resolve()
            if not real.is_relative_to(self.folder.resolve()):
                raise Mistake(
                    f"{quoted(name)} leads out of the flow's folder",
                    hint="put a copy of the file beside the flow",
                    code="file-outside",
                )
            if not real.is_file():
                raise self._missing(name, path)
            with real.open("rb") as file:
                raw = file.read(LARGEST + 1)
        except (
            OSError,
            ValueError,
            RuntimeError,
        ) as error:  # no right to read; a NUL in the name; links in a circle
            if isinstance(error, Mistake):
                raise
            reason = getattr(error, "strerror", None) or "no file can have this name"
            raise Mistake(f"{quoted(name)} cannot be read: {reason}", code="file-unreadable") from None
        self.sources[name] = _text(name, str(path), raw)
        return self.sources[name].text

    def _missing(self, name: str, path: Path) -> Mistake:
        if path.is_dir():
            return Mistake(f"{quoted(name)} is a folder", hint="name a file in it", code="file-missing")
        there = []
        try:
            for number, file in enumerate(path.parent.iterdir()):
                if number >= _MOST_LISTED:
                    break
                if file.is_file() and file.suffix not in (".yaml", ".yml"):
                    there.append((PurePosixPath(name).parent / file.name).as_posix())
        except OSError:
            return Mistake(f"there is no folder {quoted(str(PurePosixPath(name).parent))} here", code="file-missing")
        return Mistake(f"there is no file {quoted(name)} beside the flow", hint=meant(name, there), code="file-missing")


class Stored:
    """Texts kept together with a flow, by the names it uses."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self.sources: dict[str, Source] = {}

    def read(self, name: str) -> str:
        if name not in self.sources:
            _inside(name)
            if name not in self._texts:
                raise Mistake(
                    f"there is no file {quoted(name)} beside the flow",
                    hint=meant(name, self._texts),
                    code="file-missing",
                )
            self.sources[name] = _text(name, name, self._texts[name])
        return self.sources[name].text


def _inside(name: str) -> PurePosixPath:
    """A name as a path below the flow's folder. Raises `Mistake` for one that leads elsewhere."""
    path = PurePosixPath(name)
    hint = "name a file in the flow's own folder, such as `offer.html` or `texts/offer.html`"
    if path.is_absolute() or PureWindowsPath(name).drive or "\\" in name:
        raise Mistake(f"{quoted(name)} is not a name in the flow's folder", hint=hint, code="file-outside")
    if ".." in path.parts:
        raise Mistake(f"{quoted(name)} leads out of the flow's folder", hint=hint, code="file-outside")
    return path


def _text(name: str, shown: str, raw: bytes | str) -> Source:
    source = decode(shown, raw)
    if isinstance(source, Unreadable):
        place = source.spot.place
        raise Mistake(
            f"{quoted(name)}, line {place.line}, column {place.column}: {source.message}",
            None,
            source.hint,
            source.code,
        )
    return source
