"""What the API answers, as types: names, order and kinds of the fields are the contract.

The same types make the JSON and the OpenAPI document, so that neither can say what the
other does not. Later versions may add fields; they take none away.
"""

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from hookrunner.core.findings import Level
from hookrunner.model import Action, Monitored, Outcome, Status, Trigger

T = TypeVar("T")


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What all answers have in common."""


class Page(Shape, Generic[T], frozen=True, kw_only=True):
    """A part of a list; `next` is the cursor of the next part, null at the end."""

    items: list[T]
    next: str | None


class Phase(Shape, frozen=True, kw_only=True):
    """A part of a step's output that starts with a line ``>> Title``."""

    title: str
    started_at: datetime
    seconds: float | None


class Step(Shape, frozen=True, kw_only=True):
    """One action in one container, part of a run."""

    id: str
    run: str
    container: str
    host: str
    project: str | None
    image: str
    action: Action
    status: Status
    outcome: Outcome | None
    exit_code: int | None
    reason: str | None
    gitref: str | None
    gitref_before: str | None
    attempt: int
    not_before: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    phases: list[Phase]
    output_bytes: int
    truncated: bool
    superseded_by: str | None


class Run(Shape, frozen=True, kw_only=True):
    """All the work that one push or request causes."""

    id: str
    status: Status
    trigger: Trigger
    action: Action
    repository: str | None
    ref: str | None
    before: str | None
    after: str | None
    pusher: str | None
    requested_by: str | None
    reason: str | None
    delivery: str | None
    source: str | None
    created_at: datetime
    finished_at: datetime | None
    seconds: float | None
    url: str
    steps: list[Step]


class Container(Shape, frozen=True, kw_only=True):
    """A running container; `origins` says where each key of `metadata` came from."""

    id: str
    name: str
    host: str
    project: str | None
    image: str
    image_id: str
    state: str
    health: str | None
    created_at: datetime
    gitref: str | None
    current_gitref: str | None
    pushed_gitref: str | None
    behind: bool | None
    behind_since: datetime | None
    valid: bool | None
    valid_since: datetime | None
    monitor: Monitored | None
    image_behind: bool | None
    dirty: bool
    held: bool
    git_repo: str | None
    git_branch: str | None
    methods: list[Action]
    metadata: dict[str, Any]
    runtime: dict[str, Any]
    problems: list[str]
    last_step: Step | None
    origins: dict[str, str] | UnsetType = UNSET
    first_started_at: datetime | UnsetType = UNSET


class Gone(Shape, frozen=True, kw_only=True):
    """A container that does not run any more."""

    id: str


class Notified(Shape, frozen=True, kw_only=True):
    """Whether a receiver of notifications took a test; `error` says why not."""

    to: str
    error: str | None


class Hold(Shape, frozen=True, kw_only=True):
    """What somebody asked to be left alone; `containers` are those that run now."""

    id: str
    selector: str
    requested_by: str
    reason: str | None
    created_at: datetime
    until: datetime | None
    containers: list[str]


class Release(Shape, frozen=True, kw_only=True):
    """The holds that are no more, and those that still cover some of what was named."""

    released: list[Hold]
    left: list[Hold]


class Package(Shape, frozen=True, kw_only=True):
    """A package that an image's build recorded."""

    name: str
    version: str
    kind: str


class Packages(Shape, frozen=True, kw_only=True):
    """The packages of a container that were asked for; `reason` says why it cannot tell."""

    container: str
    host: str
    project: str | None
    image: str
    packages: list[Package]
    reason: str | None


class Verdict(Shape, frozen=True, kw_only=True):
    """Whether a push or request reaches one container, why, and what to do about a no."""

    container: str
    host: str
    project: str | None
    target: bool
    skipped: bool
    reason: str
    remedy: str | None


class Target(Shape, frozen=True, kw_only=True):
    """A container that a push reaches."""

    container: str
    project: str | None
    reason: str


class Receipt(Shape, frozen=True, kw_only=True):
    """What became of one push of a delivery."""

    repository: str
    ref: str
    before: str | None
    after: str | None
    run: str | None
    ignored: str | None
    targets: list[Target]
    others: int


class Delivery(Shape, frozen=True, kw_only=True):
    """One webhook request that proved who sent it."""

    id: str
    source: str
    forge: str
    event: str
    sender_id: str | None
    secret: int
    remote: str | None
    repeats: str | None
    received_at: datetime
    repository: str | None
    ref: str | None
    after: str | None
    run: str | None
    ignored: str | None
    pushes: list[Receipt]
    verdicts: list[Verdict]


class Accepted(Shape, frozen=True, kw_only=True):
    """The reply to a webhook that causes at least one run."""

    delivery: str
    run: str
    url: str
    targets: list[Target]
    pushes: list[Receipt]


class Ignored(Shape, frozen=True, kw_only=True):
    """The reply to a webhook that is valid, but not for us."""

    delivery: str
    ignored: str


class StepResult(Shape, frozen=True, kw_only=True):
    """How a step ended, in a stream's last event."""

    step: str
    container: str
    status: Status
    outcome: Outcome | None
    exit_code: int | None
    seconds: float | None
    reason: str | None


class RanInstead(Shape, frozen=True, kw_only=True):
    """The step of another run that took a superseded one's place."""

    run: str
    step: str
    status: Status
    outcome: Outcome | None


class Result(Shape, frozen=True, kw_only=True):
    """How a run ended: a stream's last event."""

    run: str
    status: Status
    seconds: float | None
    summary: str
    steps: list[StepResult]
    ran_instead: list[RanInstead]


class Explained(Shape, frozen=True, kw_only=True):
    """All verdicts on one push; `closest` is there where none came near."""

    repository: str
    ref: str
    ignored: str | None
    verdicts: list[Verdict]
    others: int
    closest: str | None


class Explanation(Shape, frozen=True, kw_only=True):
    """All verdicts on what was asked, and of a delivery those of each push."""

    ignored: str | None
    verdicts: list[Verdict]
    others: int | UnsetType = UNSET
    repository: str | UnsetType = UNSET
    ref: str | UnsetType = UNSET
    closest: str | UnsetType | None = UNSET
    pushes: list[Explained] | UnsetType = UNSET


class Token(Shape, frozen=True, kw_only=True):
    """A token, without its secret."""

    name: str
    scopes: list[str]
    project: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewToken(Shape, frozen=True, kw_only=True):
    """A token's secret, told this one time."""

    token: str


class Use(Shape, frozen=True, kw_only=True):
    """One use of the API: who asked what from where, and how it was answered."""

    id: str
    at: datetime
    who: str
    what: str
    about: str | None
    run: str | None
    status: int
    address: str


class Link(Shape, frozen=True, kw_only=True):
    """A link that signs somebody in to the page once."""

    url: str


class EngineHealth(Shape, frozen=True, kw_only=True):
    """Whether one engine answers."""

    url: str
    connected: bool
    error: str | None
    containers: int


class Stuck(Shape, frozen=True, kw_only=True):
    """A step whose processes can be neither stopped nor followed, and blocks its container."""

    container: str
    host: str
    run: str
    step: str
    since: datetime | None
    reason: str | None


class Kept(Shape, frozen=True, kw_only=True):
    """What the last look at what is old left, and took; bytes."""

    at: datetime
    runs: int
    output_bytes: int
    database_bytes: int
    free_bytes: int
    removed_runs: int
    removed_deliveries: int


class Health(Shape, frozen=True, kw_only=True):
    """Whether hookrunner can do its work."""

    status: str
    store: str
    engines: dict[str, EngineHealth]
    stuck: list[Stuck]
    certificate: str | None
    kept: Kept | None


class Finding(Shape, frozen=True, kw_only=True):
    """One thing that was looked at: whether it is right, and what to do where it is not."""

    level: Level
    about: str
    text: str
    remedy: str | None


class Problem(Shape, frozen=True, kw_only=True):
    """What went wrong (RFC 9457), with a hint what to do about it."""

    type: str
    status: int
    title: str
    hint: str | UnsetType = UNSET
    verdicts: list[Verdict] | UnsetType = UNSET
