"""The HTTP API: one file for each resource, put together in `app.py` and served by `server.py`."""
