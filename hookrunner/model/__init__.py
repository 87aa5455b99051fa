"""The nouns: frozen values that every layer shares, and the table of legal transitions.

Times are aware UTC datetimes, lengths of time are seconds, amounts are bytes.
"""

from hookrunner.model.containers import (
    Checkout,
    Container,
    EngineEvent,
    ExecState,
    Image,
    Metadata,
    MonitorChange,
    Monitored,
    MonitorState,
    Probe,
    Surroundings,
    Validity,
)
from hookrunner.model.deliveries import Delivery, PushReceipt, Verdict
from hookrunner.model.outgoing import Answer, CommitStatus, Outgoing, State
from hookrunner.model.pushes import Decoded, Push, RepositoryKey
from hookrunner.model.runs import (
    Action,
    Chunk,
    Phase,
    Rollout,
    Run,
    Step,
    Stream,
    Trigger,
)
from hookrunner.model.states import (
    OUTCOMES,
    RUN_MAY_BECOME,
    RUN_TRANSITIONS,
    STEP_MAY_BECOME,
    STEP_TRANSITIONS,
    Outcome,
    Status,
    Transition,
    drawn,
)

__all__ = [
    "OUTCOMES",
    "RUN_MAY_BECOME",
    "RUN_TRANSITIONS",
    "STEP_MAY_BECOME",
    "STEP_TRANSITIONS",
    "Action",
    "Answer",
    "Checkout",
    "Chunk",
    "CommitStatus",
    "Container",
    "Decoded",
    "Delivery",
    "EngineEvent",
    "ExecState",
    "Image",
    "Metadata",
    "MonitorChange",
    "MonitorState",
    "Monitored",
    "Outcome",
    "Outgoing",
    "Phase",
    "Probe",
    "Push",
    "PushReceipt",
    "RepositoryKey",
    "Rollout",
    "Run",
    "State",
    "Status",
    "Step",
    "Stream",
    "Surroundings",
    "Transition",
    "Trigger",
    "Validity",
    "Verdict",
    "drawn",
]
