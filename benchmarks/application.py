"""The application around a scheduler of somebody else's: what it keeps itself, the same with every one of them.

It keeps neither visits, events nor evidence. Each act is a transaction of its own, for so it is written around a job
for each contact.
"""

from __future__ import annotations

TABLES = (
    "create table journey (contact integer primary key, state text)",
    "create table message (contact integer primary key, state text)",
    "create table block (address text primary key, since text)",
)
ENTERED = ("insert into journey values (%s, 'waits')", "insert into message values (%s, 'sent')")
OPENED = ("update journey set state = 'opened' where contact = %s",)
TIMED_OUT = (
    "update journey set state = 'unopened' where contact = %s and state = 'waits'",
    "insert into block values ('c' || cast(%s as text) || '@example.com', '2026')",
)
COUNTS = """select (select count(*) from journey where state = 'opened'), (select count(*) from journey where state =
    'unopened'), (select count(*) from message), (select count(*) from block)"""


def ended(contacts: int) -> tuple[int, int, int, int]:
    """What COUNTS gives when all is done as it should be: one in four opened."""
    opened = -(-contacts // 4)
    return opened, contacts - opened, contacts, contacts - opened
