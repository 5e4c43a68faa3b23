"""The language: from YAML text to a checked graph; imports only elements.

`load.py` is the way in: a flow, or all that is wrong with it. On the way, `text.py` has the characters, `source.py` the
YAML (`pieces.py`: every value with its place; `syntax.py`: its faults in plain words), `header.py` and `exits.py` read
the parts, `fit.py` the options of elements, into a `draft.py`, which `checks/` look through. What comes out is in
`model.py`, what went wrong in `problem.py`. `graph.py` has the flow as a graph, `schema.py` the language for editors.
"""
