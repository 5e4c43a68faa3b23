"""A crowd goes through a flow in virtual time, without a database: what would come of it?

    behaviour.py    what people do with what they get: read from a file (rates_file.py), learnt from a project's history
      │               (learning.py), guessed where nobody said (guesses.py)
    crowd.py        who they are and when they come, drawn from a seed (chance.py)
    conduct.py      what each of them does, drawn as well
      │
    life.py         one contact's life beside a flow, from their coming to the end: the meaning of `rules/turn.py`, with
      │               their journeys (passage.py), how these move (walking.py) and what they cause (causing.py), and
      │               their mail (mailbox.py), on a flow made ready for it once (machine.py, spot.py, answering.py),
      │               because a crowd takes millions of steps
    run.py          all of them, over all processors and seeds
      │
    outcome.py      what is counted, and added up;  report.py: in figures;  page.py, plots.py: as a page

    backtest.py     the same lives, but those of real contacts, as they are recorded

Contacts do not know each other, so each is played by itself and then forgotten: memory stays flat, and the same seed
comes to the same numbers in whatever order and by however many processes they are played.
"""
