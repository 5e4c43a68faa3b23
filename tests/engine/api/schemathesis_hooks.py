"""What schemathesis cannot know of the API by its description: which texts are addresses, senders and reasons here.

Loaded by schemathesis itself, in a process of its own.
"""

import re
from base64 import urlsafe_b64encode

import schemathesis
from hypothesis import strategies as st

DESTINATIONS = ("ana@example.com", "Ben@Example.com", "@acme.example", "+447700900456", "07700 900456")
SENDERS = ("news@acme.example", "+447700900123")
CURSOR = urlsafe_b64encode(b'["ana@example.com", "all", "", "everything"]').decode().rstrip("=")

schemathesis.openapi.format("destination", st.sampled_from(DESTINATIONS))
schemathesis.openapi.format("sender", st.sampled_from(SENDERS))
schemathesis.openapi.format("reason", st.sampled_from(("asked", "signed up again")))
schemathesis.openapi.format("cursor", st.just(CURSOR))
schemathesis.openapi.format("flow", st.sampled_from(("win-back", "nothing")))

# Whether there is such an address, such a sender, is for no schema to say.
ONLY_KNOWN_HERE = re.compile(r"(query|body)(\.entries\[\d+\])?\.(destination|sender|from|reason|cursor|data)")


@schemathesis.check
def refuses_only_what_no_schema_can_say(ctx, response, case):
    """What fits the description is refused only for what a description cannot tell."""
    if response.status_code == 422 and case.meta is not None and case.meta.generation.mode.is_positive:
        for fault in response.json()["errors"]:
            assert ONLY_KNOWN_HERE.fullmatch(fault["where"]), fault


@schemathesis.check
def tells_every_error_as_a_problem(ctx, response, case):
    """RFC 9457, for every one."""
    if response.status_code >= 400:
        assert response.headers["content-type"] == ["application/problem+json"], response.headers
        problem = response.json()
        assert problem["status"] == response.status_code
        assert {"type", "title", "status"} <= problem.keys() <= {"type", "title", "status", "detail", "errors"}
