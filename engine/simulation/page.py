"""Reports as one page: no script, nothing from elsewhere, light or dark as the reader's system is.

With two reports every figure stands beside the other's. All text is escaped: names of elements and events are data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape

from tactful.engine.instants import moment, zone_named
from tactful.engine.simulation.outcome import FAILED, STOPPED
from tactful.engine.simulation.plots import Series, bars, lines, number
from tactful.engine.simulation.report import A_DAY, NONE, Counted, ElementReport, Figure, Report
from tactful.flows.draw.looks import DARK, FONT, LIGHT, Looks

_LETTERS, _TO = "AB", "\u2013"
_TONES: Mapping[str, str] = {
    "send_email": "talk", "send_sms": "talk", "send_whatsapp": "talk", "send_push": "talk", "pause": "wait",
    "wait_for_event": "wait", "wait_for_reply": "wait", "wait_for_change": "wait", "branch": "decide",
    "split": "decide", "add_to_do_not_contact": "do_not_contact", "goal": "finish",
}  # fmt: skip
_BAD = frozenset({"failed", "suppressed", FAILED})
_STRENGTHS = (1.0, 0.62, 0.38, 0.24, 0.16)

_SHOWN_EVENTS = ("opened", "clicked", "replied", "opted_out", "bounced", "complained")


def page(reports: Sequence[Report], guesses: Sequence[str] = ()) -> str:
    """One report, or two beside each other, as HTML."""
    assert 1 <= len(reports) <= 2, "there is room for two"
    first = reports[0]
    title = " and ".join(dict.fromkeys(each.flow for each in reports))
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}: simulated</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_style()}</style></head><body><main>",
        *_head(reports, title),
        '<section class="tiles">', *_tiles(reports), "</section>",
        '<section class="card"><h2>Through the flow</h2>',
        "<p>How many came to each element, of all who came in, and how they left it.</p>",
        *_elements(reports), "</section>",
        '<section class="plots">', *_plots(reports), "</section>",
        '<section class="plots">', *_lists(reports), "</section>",
        *_foot(first, guesses),
        "</main></body></html>\n",
    ]  # fmt: skip
    return "\n".join(parts)


# --- The top -------------------------------------------------------------------------------------


def _head(reports: Sequence[Report], title: str) -> Iterator[str]:
    first = reports[0]
    begins = moment(first.begins, zone_named(first.zone))
    seeds = f"{len(first.seeds)} seeds" if len(first.seeds) > 1 else f"seed {first.seeds[0]}"
    yield f"<header><p class=kicker>Simulation</p><h1>{escape(title)}</h1>"
    yield (
        f"<p>{first.contacts:,} contacts, {first.days_long} days from {begins:%A} {begins.day} {begins:%B %Y}, "
        f"{seeds}. Nobody got a message.</p>"
    )
    if len(reports) == 2:
        yield "<p class=legend>"
        for letter, each in zip(_LETTERS, reports, strict=False):
            named = f"{letter}: {escape(each.flow)} <small>{each.version}</small>"
            yield f'<span><i class="dot {letter}"></i>{named}</span>'
        yield "</p>"
    yield "</header>"


def _tiles(reports: Sequence[Report]) -> Iterator[str]:
    of_total = [
        ("Came in", lambda r: r.totals["entered"]),
        ("Messages sent", lambda r: r.totals["messages"]),
        ("On the Do Not Contact list", lambda r: r.totals["opted_out"]),
    ]  # fmt: skip
    tiles: list[tuple[str, Callable[[Report], Figure], Callable[[float], str]]] = [
        (name, of, number) for name, of in of_total
    ]
    goals = dict.fromkeys(name for each in reports for name in each.goals)
    tiles += [(f"Goal: {name}", lambda r, name=name: r.goals.get(name, NONE), number) for name in list(goals)[:3]]  # type: ignore[misc]
    if any(each.totals["cost"].high for each in reports):
        currency = f" {reports[0].currency}".rstrip()
        tiles.append(("Cost", lambda r: r.totals["cost"], lambda n: f"{n:,.2f}{currency}"))
    if all(each.took for each in reports):
        tiles.append(("Half are through in", lambda r: r.took[50], _how_long))
    for name, of, said in tiles:
        figures = [of(each) for each in reports]
        yield f"<div class=tile><p class=name>{escape(name)}</p><div class=values>"
        for letter, figure in zip(_LETTERS, figures, strict=False):
            mark = f'<i class="dot {letter}"></i>' if len(figures) == 2 else ""
            yield f"<div><p class=value>{mark}{escape(said(figure.middle))}</p>{_range(figure, said)}</div>"
        yield "</div>"
        if len(figures) == 2:
            yield _difference(*figures)
        yield "</div>"


def _range(figure: Figure, said: Callable[[float], str]) -> str:
    if figure.low == figure.high:
        return ""
    return f"<p class=range>{escape(said(figure.low))} to {escape(said(figure.high))}</p>"


def _difference(one: Figure, other: Figure) -> str:
    if not one.middle:
        return ""
    apart = (other.middle - one.middle) / one.middle
    sure = other.low > one.high or other.high < one.low
    return f'<p class="apart{" sure" if sure else ""}">B is {apart:+.1%} from A</p>'


# --- The funnel ----------------------------------------------------------------------------------


def _elements(reports: Sequence[Report]) -> Iterator[str]:
    names = dict.fromkeys(each.id for report in reports for each in report.elements)
    found = [{each.id: each for each in report.elements} for report in reports]
    for name in names:
        there = [(letter, report, by_id[name]) for letter, report, by_id in zip(_LETTERS, reports, found, strict=False)
                 if name in by_id]  # fmt: skip
        kind = there[0][2].type
        tone = _TONES.get(kind, "act")
        nobody = "" if any(each.arrived.high for _, _, each in there) else " nobody"
        yield f'<article class="element {tone}{nobody}"><h3>{escape(name)} <span>{escape(kind)}</span></h3>'
        summary = there[0][2].summary
        if summary:
            yield f"<p class=summary>{escape(summary)}</p>"
        for letter, report, each in there:
            yield from _bar(letter if len(reports) == 2 else "", report, each)
        yield "</article>"


def _bar(letter: str, report: Report, each: ElementReport) -> Iterator[str]:
    came = each.arrived.middle
    whole = max(report.totals["entered"].middle, 1.0, *(other.arrived.middle for other in report.elements))
    mark = f"<b>{letter}</b>" if letter else ""
    yield f'<div class=row>{mark}<div class=track><div class=bar style="width:{100 * came / whole:.2f}%">'
    shares: list[tuple[str, Counted, str]] = []
    strength = iter((*_STRENGTHS, *[0.16] * len(each.exits)))
    for exit, counted in each.exits.items():
        if not counted.number.high:
            continue
        look = (
            "background:var(--bad);opacity:.75" if exit in _BAD
            else "background:var(--line);opacity:.6" if exit == STOPPED
            else f"opacity:{next(strength)}"
        )  # fmt: skip
        shares.append((exit, counted, look))
    if each.standing.number.high:
        shares.append(("still here", each.standing, "background:var(--line);opacity:.3"))
    for exit, counted, look in shares:
        width = 100 * counted.share.middle
        yield f'<i style="width:{width:.2f}%;{look}"><title>{escape(exit)}</title></i>'
    yield f"</div></div><span class=count>{number(came)}</span></div><ul class=ways>"
    for exit, counted, look in shares:
        target = each.leads_to.get(exit)
        arrow = f" <small>→ {escape(target)}</small>" if target is not None and target != "end" else ""
        yield f'<li><i style="{look}"></i>{escape(exit)} <b>{_percent(counted.share)}</b>{arrow}</li>'
    if each.sent is not None and each.sent.high:
        said = (f"{escape(kind.replace('_', ' '))} <b>{_percent(each.happened[kind].share)}</b>"
                for kind in _SHOWN_EVENTS if kind in each.happened)  # fmt: skip
        yield f"<li class=messages>{number(each.sent.middle)} sent{''.join(', ' + one for one in said)}</li>"
    yield "</ul>"


def _percent(share: Figure) -> str:
    def said(part: float) -> str:
        return f"{100 * part:.{0 if part >= 0.9995 or part == 0 else 1 if part >= 0.01 else 2}f}"

    if said(share.low) == said(share.high):
        return f"{said(share.middle)} %"
    return f"{said(share.middle)} % <small>({said(share.low)}{_TO}{said(share.high)})</small>"


# --- Plots and lists -----------------------------------------------------------------------------


def _plots(reports: Sequence[Report]) -> Iterator[str]:
    def series(of: Callable[[Report], Sequence[Figure]]) -> list[Series]:
        return [Series(letter, of(each)) for letter, each in zip(_LETTERS, reports, strict=False)]

    days = max(each.days_long for each in reports)
    yield _card("Messages a day", "Since the first contact came.", bars(series(lambda r: r.days), _day, "day", number))
    zone = reports[0].zone
    yield _card(
        "By the hour", f"When messages go out, by the clock in {zone}.",
        bars(series(lambda r: r.hours), str, "o'clock", number),
    )  # fmt: skip
    if any(each.took for each in reports):
        plotted = lines(series(lambda r: r.through), min(days, _until_flat(reports)), A_DAY)
        yield _card("Time to the end", "Share of all journeys that are through, by days since they began.", plotted)


def _day(number: int) -> str:
    return str(number + 1)


def _until_flat(reports: Sequence[Report]) -> int:
    """The day after which no curve rises any more."""
    last = 1
    for each in reports:
        end = each.through[-1].high
        last = max(last, next(at for at, figure in enumerate(each.through) if figure.high >= end - 0.0005))
    return last // A_DAY + 1


def _card(title: str, about: str, content: str) -> str:
    return f"<div class=card><h2>{escape(title)}</h2><p>{escape(about)}</p>{content}</div>"


def _lists(reports: Sequence[Report]) -> Iterator[str]:
    yield from _list(reports, "Why on the Do Not Contact list", lambda r: r.blocked_by, "Nobody was put on it.")
    yield from _list(reports, "Events of their own", lambda r: r.own_events, None)
    yield from _list(
        reports, "What became of the journeys",
        lambda r: {name.replace("_", " "): r.totals[name] for name in
                   ("finished", "stopped", "failed", "under_way", "refused", "held")}, None,
    )  # fmt: skip


def _list(
    reports: Sequence[Report], title: str, of: Callable[[Report], Mapping[str, Figure]], none: str | None
) -> Iterator[str]:
    names = [name for name in dict.fromkeys(name for each in reports for name in of(each))
             if any(of(each).get(name, NONE).high for each in reports)]  # fmt: skip
    if not names and none is None:
        return
    yield f"<div class=card><h2>{escape(title)}</h2>"
    if not names:
        yield f"<p>{none}</p></div>"
        return
    heads = "".join(f"<th>{letter}</th>" for letter in _LETTERS) if len(reports) == 2 else ""
    yield f"<table>{f'<tr><th></th>{heads}</tr>' if heads else ''}"
    for name in names:
        cells = "".join(f"<td>{number(of(each).get(name, NONE).middle)}{_small(of(each).get(name, NONE))}</td>"
                        for each in reports)  # fmt: skip
        yield f"<tr><th>{escape(name)}</th>{cells}</tr>"
    yield "</table></div>"


def _small(figure: Figure) -> str:
    return "" if figure.low == figure.high else f" <small>({number(figure.low)}{_TO}{number(figure.high)})</small>"


def _foot(report: Report, guesses: Sequence[str]) -> Iterator[str]:
    yield "<footer>"
    if len(report.seeds) > 1:
        yield "<p>Ranges are the lowest and the highest of all seeds; before them stands the one in the middle.</p>"
    if guesses:
        yield f"<p>Guessed, for want of a word about it: {escape('; '.join(guesses))}.</p>"
    yield (
        "<p>Made by <code>tactful simulate</code>. Quiet hours, limits, entries and the Do Not Contact list hold as in "
        "the engine; what people do is drawn from rates.</p></footer>"
    )


def _how_long(minutes: float) -> str:
    whole = round(minutes)
    days, rest = divmod(whole, 1440)
    hours, left = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (left, "min")]
    said = [f"{value} {unit}" for value, unit in parts if value][:2]
    return " ".join(said) or "0 min"


# --- Looks ---------------------------------------------------------------------------------------


def _variables(looks: Looks) -> str:
    own = {name: getattr(looks, name) for name in ("ground", "panel", "ink", "quiet", "rim", "shade", "line", "bad")}
    own |= {tone.replace("_", "-"): colour for tone, colour in looks.hues.items()}
    own |= {"A": looks.hues["talk"], "B": looks.hues["wait"]}
    return "".join(f"--{name}:{colour};" for name, colour in own.items())


def _style() -> str:
    tones = "".join(f".{tone}{{--tone:var(--{tone.replace('_', '-')})}}" for tone in LIGHT.hues)
    return (
        f":root{{color-scheme:light dark;{_variables(LIGHT)}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}{tones}"
        + _CSS.replace("FONT", FONT).replace("\n", "")
    )


_CSS = """
*{box-sizing:border-box;margin:0}
body{background:var(--ground);color:var(--ink);font:15px/1.5 FONT;font-variant-numeric:tabular-nums;
-webkit-font-smoothing:antialiased}
main{max-width:1120px;margin:0 auto;padding:48px 24px 64px;display:grid;gap:20px}
h1{font-size:34px;line-height:1.15;letter-spacing:-.02em;font-weight:680}
h2{font-size:16px;font-weight:640;letter-spacing:-.005em}
h3{font-size:14px;font-weight:620}
h3 span{color:var(--tone);font-weight:520;font-size:12.5px;margin-left:6px}
p,li,td,th,small{color:var(--quiet)}
header{display:grid;gap:6px;margin-bottom:8px}
.kicker{font-size:12.5px;letter-spacing:.08em;text-transform:uppercase;font-weight:600;color:var(--talk)}
.legend{display:flex;flex-wrap:wrap;gap:6px 22px;margin-top:6px;color:var(--ink)}
.dot{display:inline-block;width:10px;height:10px;border-radius:50%;margin-right:8px}
.dot.A{background:var(--A)}.dot.B{background:var(--B)}
.card,.tile{background:var(--panel);border:1px solid var(--rim);border-radius:14px;padding:20px 22px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px}
.tile{padding:16px 18px;display:grid;align-content:start;gap:4px}
.name{font-size:13px}.values{display:flex;flex-wrap:wrap;gap:4px 22px}
.value{font-size:25px;font-weight:640;letter-spacing:-.015em;color:var(--ink);line-height:1.25;white-space:nowrap}
.range{font-size:12px}.apart{font-size:12.5px}.apart.sure{color:var(--ink);font-weight:620}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(330px,1fr));gap:20px}
.plots .card{min-width:0}.plots svg{display:block;width:100%;height:auto;margin-top:14px;overflow:visible}
.card>p{font-size:13.5px}
.element{padding:14px 0 12px;border-top:1px solid var(--rim)}.element:first-of-type{margin-top:14px}
.nobody{opacity:.5}.summary{font-size:12.5px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.row{display:flex;align-items:center;gap:12px;margin-top:8px}
.row b{width:12px;color:var(--quiet);font-size:12.5px}
.track{flex:1;height:16px;border-radius:5px;background:var(--shade);overflow:hidden}
.bar{height:100%;display:flex;gap:1px;min-width:1px}
.bar i{display:block;height:100%;background:var(--tone)}
.count{min-width:66px;text-align:right;font-weight:600}
.ways{list-style:none;padding:0;margin-top:7px;display:flex;flex-wrap:wrap;gap:3px 18px;font-size:12.5px}
.ways i{display:inline-block;width:9px;height:9px;border-radius:3px;background:var(--tone);margin-right:6px}
.ways b,td{color:var(--ink);font-weight:600}.messages{margin-left:auto}
small{font-size:.92em;font-weight:400}td small{display:block}td{vertical-align:top}
table{width:100%;border-collapse:collapse;margin-top:12px;font-size:13.5px}
tr+tr{border-top:1px solid var(--rim)}
th{text-align:left;font-weight:450;padding:7px 0}td,table tr:first-child th+th{text-align:right;padding:7px 0 7px 16px}
footer{display:grid;gap:4px;margin-top:8px}footer p{font-size:12.5px}
code{font-size:.95em;color:var(--ink)}
svg text{font-size:11px;fill:var(--quiet)}.grid{stroke:var(--rim)}.base{stroke:var(--line);stroke-opacity:.6}
.fill-A{fill:var(--A)}.fill-B{fill:var(--B)}.line-A{stroke:var(--A)}.line-B{stroke:var(--B)}
.whisker{stroke:var(--ink);stroke-opacity:.55}
@media (max-width:640px){main{padding:28px 14px}.messages{margin-left:0}}
@media print{body{background:#fff}.card,.tile{break-inside:avoid}}
"""
