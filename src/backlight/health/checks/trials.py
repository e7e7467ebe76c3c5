"""What trials have shown beyond doubt. Everything else that they show stands in their own report."""

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Evidence, Finding, FindingText
from backlight.health.thresholds import limit

NOT_SAVED = FindingText(
    id="state-not-saved",
    title="What training changes, and the output depends on, is not in the state dict: it is lost when weights are "
    "saved.",
    because="state_dict() holds parameters and persistent buffers. A tensor in a plain attribute, a list or a buffer "
    "with persistent=False begins anew in the process that loads the file.",
    try_this=(
        "self.register_buffer('mean', torch.zeros(n)) for what is not learnt, nn.Parameter for what is.",
        "If it is meant to begin anew, as the state of a sequence is, no action is needed.",
    ),
    figures=("loss",),
    about="""
    A trial made ten steps with a copy of the network. They changed tensors that a state dict does not hold, and the
    output in evaluation mode is another one where these are set back.
    """,
    explained_by=frozenset({"unregistered-layers", "state-carried-over"}),
)


@check("state that is saved", NOT_SAVED, of="trials")
def not_saved(context: Context) -> list[Finding] | None:
    """Tensors that training changes and no file holds."""
    trial = context.trial("modes and saved weights")
    if trial is None:
        return None
    if not trial.where:
        return []
    return [
        context.finding(
            NOT_SAVED,
            severity="warning",
            where=trial.where,
            evidence=(Evidence(what="tensors that are not saved", value=len(trial.where), expected="0"),),
        )
    ]


NEVER_RIGHT = FindingText(
    id="class-never-right",
    title="Some classes are never right, though most targets are: the mean hides them.",
    because="A mean over all targets says little about a class that is rare.",
    try_this=(
        "Print examples of these classes with their labels, as the loss gets them.",
        "weight= of the loss, or a sampler that draws rare classes more often; and report results by class.",
    ),
    figures=("loss",),
    about="""
    A trial counted by class what is right in evaluation mode. More than half of all targets are right, and of some
    classes, with enough targets to tell, not one.
    """,
)


@check("outcome by class", NEVER_RIGHT, of="trials")
def never_right(context: Context) -> list[Finding] | None:
    """Classes that a good mean hides."""
    trial = context.trial("outcome")
    right = None if trial is None else trial.number("right")
    if trial is None or right is None:
        return None
    if not trial.where or not right > 100 * limit("right on average"):
        return []
    return [
        context.finding(
            NEVER_RIGHT,
            severity="note",
            where=tuple(f"class {name}" for name in trial.where),
            evidence=(
                Evidence(what="targets that are right", value=round(right), unit="%"),
                Evidence(what="classes never right", value=len(trial.where)),
            ),
        )
    ]
