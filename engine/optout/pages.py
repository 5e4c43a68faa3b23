"""The opt-out pages as HTML: one column, no script, nothing loaded from anywhere, light or dark as the reader likes it.

Pure: words in, a page out. No page shows an address, a name or a flow.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape

from tactful.engine.optout.following import Scope
from tactful.engine.optout.page_languages import PageTexts

LIGHT: Mapping[str, str] = {
    "ground": "#f3f1ec", "card": "#ffffff", "edge": "#e2ded5", "ink": "#1c2321", "soft": "#565f5b",
    "strong": "#0c5f55", "strong-over": "#094840", "on-strong": "#ffffff", "tint": "#e3f1ee", "field": "#7d8783",
}  # fmt: skip
DARK: Mapping[str, str] = {
    "ground": "#121615", "card": "#1b211f", "edge": "#2f3835", "ink": "#eef2f0", "soft": "#a9b4af",
    "strong": "#7fd6c6", "strong-over": "#a2e6d9", "on-strong": "#08312b", "tint": "#1f3834", "field": "#8a9691",
}  # fmt: skip
"""The colours by what they are for."""

READ_ON: tuple[tuple[str, str], ...] = (
    ("ink", "card"), ("soft", "card"), ("strong", "card"), ("strong-over", "card"), ("on-strong", "strong"),
    ("on-strong", "strong-over"), ("strong", "tint"), ("ink", "tint"),
)  # fmt: skip
"""Which colours text has, and on which grounds."""


def _colours(of: Mapping[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in of.items())


STYLE = f"""
:root {{ color-scheme: light dark; {_colours(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_colours(DARK)} }} }}
* {{ box-sizing: border-box; }}
body {{
  margin: 0; min-height: 100vh; min-height: 100dvh; display: grid; align-items: center; justify-items: center;
  padding: 1.25rem; background: var(--ground); color: var(--ink);
  font: 1.0625rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}}
main {{
  width: 100%; max-width: 29rem; padding: 2.5rem 2.25rem 2.25rem; background: var(--card);
  border: 1px solid var(--edge); border-radius: 1.25rem; box-shadow: 0 1px 2px #0000000a, 0 12px 32px #00000012;
}}
.sign {{
  display: grid; place-items: center; width: 3.25rem; height: 3.25rem; margin-bottom: 1.5rem;
  border-radius: 50%; background: var(--tint); color: var(--strong);
}}
h1 {{ margin: 0 0 .6rem; font-size: 1.6rem; line-height: 1.25; font-weight: 650; letter-spacing: -.015em;
  text-wrap: balance; overflow-wrap: anywhere; }}
p {{ margin: 0 0 .75rem; color: var(--soft); text-wrap: pretty; }}
main > p:last-child {{ margin-bottom: 0; }}
form {{ margin: 1.5rem 0 0; }}
button {{
  display: block; width: 100%; min-height: 3rem; padding: .7rem 1.25rem; cursor: pointer;
  font: inherit; font-weight: 600; border: 1.5px solid var(--strong); border-radius: .8rem;
  background: var(--strong); color: var(--on-strong); text-wrap: balance;
}}
button:hover {{ background: var(--strong-over); border-color: var(--strong-over); }}
button.quiet {{ background: transparent; color: var(--strong); border-color: var(--field); }}
button.quiet:hover {{ color: var(--strong-over); border-color: var(--strong-over); }}
:focus-visible {{ outline: 3px solid var(--strong); outline-offset: 3px; }}
a {{ color: var(--strong); text-underline-offset: .2em; }}
.more {{ margin: 1.1rem 0 0; text-align: center; }}
.more a {{ display: inline-block; padding: .35rem .75rem; border-radius: .5rem; }}
.note {{ margin-top: 1.25rem; font-size: .9375rem; }}
fieldset {{ margin: 0; padding: 0; border: 0; min-width: 0; }}
label {{
  display: flex; gap: .8rem; align-items: flex-start; padding: .8rem .95rem; margin-top: .6rem; cursor: pointer;
  border: 1.5px solid var(--edge); border-radius: .8rem;
}}
label:hover {{ border-color: var(--field); }}
label:has(:checked) {{ border-color: var(--strong); background: var(--tint); }}
label:has(:focus-visible) {{ outline: 3px solid var(--strong); outline-offset: 3px; }}
input {{ flex: none; width: 1.15rem; height: 1.15rem; margin: .25rem 0 0; accent-color: var(--strong); }}
@supports selector(:has(a)) {{ input:focus-visible {{ outline: none; }} }}
fieldset + button {{ margin-top: 1.25rem; }}
.again {{ margin-top: 1.75rem; padding-top: 1.5rem; border-top: 1px solid var(--edge); }}
.again form {{ margin-top: .85rem; }}
@media (max-width: 30rem) {{
  body {{ padding: .75rem; }}
  main {{ padding: 1.75rem 1.35rem 1.5rem; border-radius: 1rem; }}
  h1 {{ font-size: 1.4rem; }}
}}
"""

STYLE_HASH = "sha256-" + b64encode(sha256(STYLE.encode()).digest()).decode()
"""The style's hash for a content security policy: no other style is let in."""

_BUBBLE = '<path d="M20 11.5a7.5 7.5 0 0 1-11 6.6L4 19.5l1.4-4.6A7.5 7.5 0 1 1 20 11.5Z"/>'
_SIGNS = {
    "stop": _BUBBLE + '<path d="m10 9 5 5m0-5-5 5"/>',
    "choose": '<path d="M4 7h9m5 0h2M4 17h2m5 0h9"/><circle cx="15.5" cy="7" r="2.5"/>'
    '<circle cx="8.5" cy="17" r="2.5"/>',
    "done": '<path d="m5 12.5 4.5 4.5L19 7.5"/>',
    "back": _BUBBLE + '<path d="M9 11.5h.01M12.5 11.5h.01M16 11.5h.01"/>',
    "off": '<circle cx="12" cy="12" r="8"/><path d="M10 9.5v5m4-5v5"/>',
    "unknown": '<path d="M9 9.2a3 3 0 1 1 4.6 2.5c-1 .7-1.6 1.3-1.6 2.5M12 17.8h.01"/>',
}


def stop_page(texts: PageTexts, language: str, token: str, *, marketing_only: bool) -> str:
    """Asks whether to stop: one button, and the way to the choices."""
    note = f'<p class="note">{escape(texts.still_come)}</p>' if marketing_only else ""
    return _page(
        language, "stop", texts.stop_title,
        f"<p>{escape(texts.stop_text)}</p>{_form(token, _button('stop', texts.stop_button))}"
        f'<p class="more"><a href="{escape(token)}?more">{escape(texts.more)}</a></p>{note}',
    )  # fmt: skip


def choose_page(
    texts: PageTexts, language: str, token: str, channel: str, chosen: Scope, *, marketing_only: bool
) -> str:
    """Offers less than nothing at all, or more; and the way back."""
    choices: dict[Scope, str] = {
        "this_sender": texts.sender, "this_channel": getattr(texts, channel, texts.push), "everything": texts.everything
    }  # fmt: skip
    radios = "".join(
        f'<label><input type="radio" name="what" value="{scope}"{" checked" if scope == chosen else ""}>'
        f"<span>{escape(text)}</span></label>"
        for scope, text in choices.items()
    )
    form = f'<fieldset aria-labelledby="title">{radios}</fieldset>' + _button("choose", texts.choose_button)
    note = f'<p class="note">{escape(texts.still_come)}</p>' if marketing_only else ""
    return _page(language, "choose", texts.choose_title, _form(token, form) + note + _way_back(texts, token))


def done_page(texts: PageTexts, language: str, token: str) -> str:
    """Says that it is done; and the way back."""
    return _page(language, "done", texts.done_title, f"<p>{escape(texts.done_text)}</p>{_way_back(texts, token)}")


def back_page(texts: PageTexts, language: str) -> str:
    """Says that messages may come again."""
    return _page(language, "back", texts.back_title, f"<p>{escape(texts.back_text)}</p>")


def off_page(texts: PageTexts, language: str) -> str:
    """Says that messages stay off, and what to do."""
    return _page(language, "off", texts.off_title, f"<p>{escape(texts.off_text)}</p>")


def unknown_page(texts: PageTexts, language: str) -> str:
    """For a link of nobody's; it says nothing else."""
    return _page(language, "unknown", texts.unknown_title, f"<p>{escape(texts.unknown_text)}</p>")


def _way_back(texts: PageTexts, token: str) -> str:
    form = _form(token, _button("back", texts.again_button, quiet=True))
    return f'<div class="again"><p>{escape(texts.again_text)}</p>{form}</div>'


def _form(token: str, inside: str) -> str:
    return f'<form method="post" action="{escape(token)}">{inside}</form>'


def _button(value: str, text: str, *, quiet: bool = False) -> str:
    kind = ' class="quiet"' if quiet else ""
    return f'<button type="submit" name="do" value="{value}"{kind}>{escape(text)}</button>'


def _page(language: str, sign: str, title: str, inside: str) -> str:
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex, nofollow">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<div class="sign"><svg width="26" height="26" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.9" \
stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{_SIGNS[sign]}</svg></div>
<h1 id="title">{escape(title)}</h1>
{inside}
</main>
</body>
</html>
"""
