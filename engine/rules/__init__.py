"""What holds across a contact's journeys: pure functions of values, like the interpreter below them."""
