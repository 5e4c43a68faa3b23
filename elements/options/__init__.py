"""The types of option values: what a marketer writes as text, read once and ready to use.

Each is immutable, hashable, equal by what was written (`text`), and a pydantic field type. Part of the
vocabulary of elements: a third party's element uses them as ours do. What cannot be read raises a `Mistake`.
"""
