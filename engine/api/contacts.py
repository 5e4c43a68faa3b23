"""`POST /v1/contacts`: contacts put in and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tactful.engine.api.fields import MOST, Body
from tactful.engine.api.keys import needs
from tactful.engine.api.strict import StrictRoute
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import Row, contacts_of

if TYPE_CHECKING:
    from tactful.engine.clock import Clock
    from tactful.engine.compose import Engine
    from tactful.engine.project import Project


class ContactRecord(BaseModel):
    """A contact: what is said of it changes, all else stays as it is. Every name but these is an attribute's."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "id": "c-1001", "email": "ana@example.com", "phone": "+385911234567", "time_zone": "Europe/Zagreb",
                "tags": ["newsletter"], "first_name": "Ana", "orders": 3,
            }
        },
    )  # fmt: skip

    id: Any = Field(None, description="The contact's own id; without it, the email, else the phone number, is it.")
    email: Any = Field(None, description="The email address.")
    phone: Any = Field(None, description="The phone number.")
    time_zone: Any = Field(None, description="The time zone, such as `Europe/Zagreb`.")
    tags: Any = Field(None, description="Tags: they are added to those there are.")


class Contacts(Body):
    """Contacts to be put in or changed."""

    contacts: list[ContactRecord] = Field(min_length=1, max_length=MOST)


class ContactFault(BaseModel):
    """A contact that was left out."""

    at: int = Field(description="Which one, counted from 0.")
    reason: str = Field(description="What is wrong with it.")
    hint: str | None = Field(description="What to do, where there is something.")


class PutContacts(BaseModel):
    """What became of the contacts."""

    new: int = Field(description="How many were new.")
    changed: int = Field(description="How many were changed.")
    same: int = Field(description="How many were as they were.")
    faults: list[ContactFault] = Field(description="Those that were left out, and why.")


def contact_routes(engine: Engine, project: Project, clock: Clock) -> APIRouter:
    """The routes for contacts."""
    router = APIRouter(prefix="/v1", tags=["contacts"], route_class=StrictRoute)

    @router.post("/contacts", dependencies=needs("contacts"), operation_id="put_contacts")
    def put(body: Contacts) -> PutContacts:
        """Put contacts in, or change them: 1 to 1,000.

        The rules are those of `tactful import contacts` for JSON lines: what is null or left out says nothing, and
        what the project file declares must be of its type. A contact that is wrong is left out and named, the others
        come in. Nobody is taken off the Do Not Contact list by this.
        """
        records = [each.model_dump(exclude_none=True) for each in body.contacts]
        right, faults = [], []
        for each in contacts_of(records, project.contact, project.region):
            if isinstance(each, Row):
                right.append(each.contact)
            else:
                faults.append(ContactFault(at=each.line, reason=each.reason, hint=each.hint))
        put = put_contacts(engine.host, right, clock.now())
        return PutContacts(new=put.new, changed=put.changed, same=put.same, faults=faults)

    return router
