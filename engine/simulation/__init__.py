"""A crowd goes through a flow in virtual time, without a database: what would come of it?

    rates.py        what people do with what they get: read from a file (behaviour.py), or learnt (learning.py)
      │
    crowd.py        who they are and when they come, drawn from a seed (chance.py)
      │
    life.py         one contact's life beside a flow, from their coming to the end: the meaning of `rules/turn.py`
      │               on a flow made ready for it once (machine.py), because a crowd takes millions of steps
    run.py          all of them, over all processors and seeds
      │
    outcome.py      what is counted, and added up;  page.py: as a page

Contacts do not know each other, so each is played by itself and then forgotten: memory stays flat, and the same seed
comes to the same numbers in whatever order and by however many processes they are played.
"""
