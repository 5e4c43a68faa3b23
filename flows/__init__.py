"""The language: from YAML text to a checked graph; imports only elements."""
