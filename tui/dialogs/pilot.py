"""The Pilot dialog: runs the first images through every model before a whole run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Static

from engine.utils.errors import BadInput
from tui.dialogs.dialog import Dialog
from tui.dialogs.rate import ask_rating
from tui.formatting import captions, text
from tui.formatting.pilot_table import LEGEND, table_lines
from tui.formatting.text import describe_error
from tui.keys.action import ActionOwner
from tui.keys.pilot import PILOT_ACTIONS, PilotState
from tui.session.messages import ActionRequested
from tui.session.session import Session
from tui.viewmodel import actions
from tui.widgets.preview import Preview, PreviewScreen

if TYPE_CHECKING:
    from db.rows import Rating
    from engine.operations.pilot import PilotFindings, PilotPlan
    from engine.operations.tryout import Tryout, TryoutEvent


@dataclass(frozen=True)
class PilotOutcome:
    """How a pilot was left."""

    go: bool
    """True if the whole run is to be started."""
    time: str | None
    """How long the whole run will take; None if not every model was measured."""
    findings: PilotFindings | None = None
    """What it showed; None if it could not be planned."""


class Pilot(ActionOwner, PreviewScreen[PilotOutcome | None], Dialog[PilotOutcome | None]):
    """The first images with their captions, and the figures of every model."""

    AUTO_FOCUS = "#said"
    HELP = (
        "Every model captions the first images. The table shows the speed, the time for all records"
        " and the defects of the captions of each model; below it, you compare the captions of one"
        " image. G starts the whole run, and escape goes back without it. Ratings and figures are"
        " kept: later runs warn if a figure is worse."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Change", tooltip="Back, to change something", id="pilot.close"),
        Binding("G", "go", "Go", tooltip="Start the whole run", id="pilot.go"),
        Binding("n,right_square_bracket", "image(1)", "Next image", id="pilot.next"),
        Binding("N,left_square_bracket", "image(-1)", "Previous image", id="pilot.last"),
        *PILOT_ACTIONS,
        Binding("m", "model", "Model", tooltip="Choose the next model", id="pilot.model"),
        Binding("d", "diff", "Diff", tooltip="Toggle word differences", id="pilot.diff"),
        Binding(
            "Z", "enlarge", "Picture", tooltip="Picture on the whole screen", id="pilot.enlarge"
        ),
        Binding("question_mark,f1", "app.open('help')", "Help", False, id="pilot.help"),
        Binding("j", "scroll(1)", "Down", False, id="pilot.down"),
        Binding("k", "scroll(-1)", "Up", False, id="pilot.up"),
    ]

    @dataclass
    class PlanMade(Message):
        """The records and the devices of the pilot are known."""

        plan: PilotPlan

    @dataclass
    class TryoutEventReceived(Message):
        """A model that is being tried loads, captioned a record, or failed at it."""

        model: str
        event: TryoutEvent

    @dataclass
    class TryoutEnded(Message):
        """A model is through, or failed with `error`; without a model, the pilot cannot be run."""

        model: str
        error: str | None = None

    def __init__(
        self,
        make_plan: Callable[[], PilotPlan],
        session: Session | None = None,
        open_prompts: Callable[[str], None] = lambda model: None,
    ) -> None:
        """Without a project in the session, only the outcome has what the pilot showed."""
        super().__init__()
        self.make_plan = make_plan
        self.session = session or Session()
        self.open_prompts = open_prompts
        """Opens the prompt workshop of the model with this name."""
        self.preview = Preview(self.find_image, self.session.image_support, id="preview")
        self.findings: PilotFindings | None = None
        self.tryout: Tryout | None = None
        """The process of the model that is being tried."""
        self.closed = False
        """True once the thread should stop."""
        self.image_index = 0
        """The index of the image whose captions are shown."""
        self.model_index = 0
        """The index of the model that is rated, and compared with."""
        self.diff = False
        """True if words that differ between models are marked."""
        self.states: dict[str, str] = {}
        """The state of each model, as it is shown."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Pilot"
            dialog.border_subtitle = (
                "n N image; m model; + - rate; d diff; w prompts; Z picture; ? help; G go"
            )
            yield Static("looking for devices and records ...", id="models", markup=False)
            with Horizontal(id="record"):
                yield self.preview
                with VerticalScroll(id="said"):
                    yield Static(id="captions", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Change", id="change", compact=True)
                yield Button("Go: run all of it", id="go", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#go").disabled = True
        self.run_models()

    # Running the models

    @work(thread=True, group="pilot", exit_on_error=False)
    def run_models(self) -> None:
        """Try every model in turn, each in a process of its own."""
        from engine.operations.tryout import Tryout, TryoutEvent, TryoutFailed

        try:
            plan = self.make_plan()
        except BadInput as error:
            self.post_message(self.TryoutEnded("", str(error)))
            return
        except Exception as error:
            self.post_message(self.TryoutEnded("", describe_error(error)))
            return
        self.post_message(self.PlanMade(plan))
        for name, job in plan.jobs:
            if self.closed:
                return
            try:
                self.post_message(self.TryoutEventReceived(name, TryoutEvent(loading="starting")))
                self.tryout = Tryout(job)
                if self.closed:
                    self.tryout.cancel()
                for event in self.tryout:
                    self.post_message(self.TryoutEventReceived(name, event))
                self.post_message(self.TryoutEnded(name))
            except TryoutFailed as error:
                self.post_message(self.TryoutEnded(name, str(error)))
            except Exception as error:
                self.post_message(self.TryoutEnded(name, describe_error(error)))

    def on_unmount(self) -> None:
        self.closed = True
        if self.tryout is not None:
            self.tryout.cancel()

    @on(PlanMade)
    def plan_made(self, event: Pilot.PlanMade) -> None:
        from engine.operations.pilot import PilotFindings

        self.findings = PilotFindings(event.plan)
        self.states = {name: "WAIT" for name, _ in event.plan.jobs}
        self.query_one("#go").disabled = False
        self.draw()

    @on(TryoutEventReceived)
    def tryout_event_received(self, event: Pilot.TryoutEventReceived) -> None:
        tryout_event, findings = event.event, self.findings
        if findings is None:
            return
        findings.add_event(event.model, tryout_event)
        if tryout_event.loading is not None:
            self.states[event.model] = f"LOAD {tryout_event.loading}"
        elif tryout_event.record is not None:
            done, records = findings.answered_count(event.model), len(findings.plan.records)
            self.states[event.model] = f"RUN {done} of {records}"
        self.draw()

    @on(TryoutEnded)
    def tryout_ended(self, event: Pilot.TryoutEnded) -> None:
        if event.model:
            self.states[event.model] = f"FAIL {event.error}" if event.error else "DONE"
            self.keep(event.model)
        else:
            self.query_one("#models", Static).update(text.visible(event.error or ""))
        self.draw()

    def keep(self, model: str) -> None:
        """Have the figures of a model kept that was tried: later runs warn of what is worse."""
        if self.session.project is not None and not self.session.readonly and self.findings:
            keep = partial(actions.keep_pilot, findings=self.findings, model=model)
            self.app.post_message(ActionRequested(keep))

    # Drawing

    def time_estimate(self) -> str | None:
        """Return how long the whole run will take and when it will end, if that can be told."""
        seconds = self.findings.seconds if self.findings else None
        if seconds is None:
            return None
        end = text.day_and_clock(time.time() + seconds)[:-3]
        return f"about {text.duration(seconds)} in all, until {end}"

    def draw(self) -> None:
        """Show the models with their figures, and the captions of the chosen image."""
        from engine.operations.pilot_table import pilot_lines

        findings = self.findings
        if findings is None:
            return
        plan = findings.plan
        table = pilot_lines(findings)
        rows = table_lines(table, self.states)
        lines = [Content.styled(rows[0], "bold"), *map(Content, rows[1:])]
        about = "about " if plan.estimated else ""
        whole_run = f"{about}{text.plural(plan.total, 'record')}"
        whole_run += f" on {text.plural(plan.devices, 'device')}"
        lines.append(Content.styled(f"{whole_run}: {self.time_estimate() or 'measuring'}", "bold"))
        for line in table:
            for news in line.health:
                warning = f"WARN {text.visible(line.name)}: {text.visible(news)}"
                lines.append(Content.styled(warning, "$text-warning"))
        lines.append(Content.styled(LEGEND, "$foreground-muted"))
        self.query_one("#models", Static).update(Content("\n").join(lines))
        if plan.records:
            self.image_index %= len(plan.records)
            self.preview.show(plan.records[self.image_index][0])
            self.query_one("#captions", Static).update(self.captions(findings))
        self.refresh_bindings()

    def find_image(self, image: str) -> str:
        """Return the path of an image. Raises `ImageProblem`. Called in a thread."""
        if self.findings is None:
            raise ValueError("no image is shown before the plan is made")
        _, job = self.findings.plan.jobs[0]
        return job.paths.resolve(image)

    def captions(self, findings: PilotFindings) -> Content:
        """Return the captions of the chosen image by all models."""
        image = findings.image(self.image_index)
        names = [name for name, _ in findings.plan.jobs]
        head = f"image {self.image_index + 1} of {len(findings.plan.records)}"
        head += f"  {text.visible(image.image)}"
        body = captions.captions_content(image, names, "cut", self.model, self.diff)
        return Content.assemble((head, "$foreground-muted"), "\n", body)

    # Keys

    @property
    def model(self) -> str | None:
        """The name of the chosen model."""
        jobs = self.findings.plan.jobs if self.findings is not None else ()
        return jobs[self.model_index % len(jobs)][0] if jobs else None

    @property
    def record_index(self) -> int:
        """The index of the record whose image is shown; it counts on behind the last one."""
        count = len(self.findings.plan.records) if self.findings is not None else 0
        return self.image_index % count if count else 0

    def action_state(self) -> PilotState:
        caption = None
        if self.findings is not None and self.model in self.findings.checks:  # no scorer
            caption = self.findings.captions.get((self.model, self.record_index))
        return PilotState(
            session=self.session,
            has_caption=caption is not None and caption.raw is not None,
            busy=any(state.startswith(("WAIT", "LOAD", "RUN")) for state in self.states.values()),
        )

    def action_model(self) -> None:
        self.model_index += 1
        self.draw()

    def action_rate(self, good: bool) -> None:
        model, findings, i = self.model, self.findings, self.record_index
        if model is None or findings is None:
            return

        def rate(rating: Rating | None) -> None:
            findings.rate(model, i, rating)
            if self.session.project is not None:  # else the wizard keeps it for the new project
                request = partial(actions.rate, keys=[(0, i)], model=model, rating=rating)
                self.app.post_message(ActionRequested(request))
            self.draw()

        whose = f"the caption of {model} for image {i + 1}"
        ask_rating(self.app, good, whose, findings.ratings.get((model, i)), rate)

    def action_prompts(self) -> None:
        if self.model is not None:
            self.open_prompts(self.model)

    @on(Preview.Stepped)
    def stepped(self, event: Preview.Stepped) -> None:
        self.action_image(event.by)

    def action_image(self, by: int) -> None:
        self.image_index += by
        self.draw()

    def action_diff(self) -> None:
        self.diff = not self.diff
        self.draw()

    def action_scroll(self, by: int) -> None:
        self.query_one("#said", VerticalScroll).scroll_relative(y=by, animate=False)

    @on(Button.Pressed, "#go")
    def action_go(self) -> None:
        if self.findings is not None:
            self.dismiss(PilotOutcome(True, self.time_estimate(), self.findings))

    @on(Button.Pressed, "#change")
    def action_close(self) -> None:
        self.dismiss(PilotOutcome(False, self.time_estimate(), self.findings))
