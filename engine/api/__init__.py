"""HTTP: what the engine answers to requests."""
