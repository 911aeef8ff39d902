"""The screen of `aegis top`, by Textual. A thread looks, one look at a time; what can't be read keeps what was there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Static
from textual.worker import get_current_worker

from aegis_worker.errors import AegisError
from aegis_worker.terminal.output import plain

from .details import as_text
from .look import Look
from .tables import PANELS, headline

# Looks at an installation, and says more about a line of a panel: the panel's key, the line's key, the look.
Looking = Callable[[], Look]
Telling = Callable[[str, str, Look], str]


class Detail(ModalScreen[None]):
    """More about one line, until Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "back")]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="detail"):
            yield Static(self._text, markup=False)
        yield Footer()


class Top(App[None]):
    """Looks every `interval_s` seconds. Keys 1 to 5 choose what is shown, Enter says more, p stops looking, q ends."""

    CSS = """
    #headline { height: auto; padding: 0 1; background: $panel; }
    #title { height: 1; padding: 0 1; text-style: bold; }
    DataTable { height: 1fr; }
    #as-of { height: 1; padding: 0 1; color: $text-muted; }
    Detail { align: center middle; }
    #detail { width: 90%; height: 80%; padding: 1 2; background: $surface; border: solid $primary; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"show('{key}')", panel.title) for key, panel in PANELS.items()),
        Binding("p", "pause", "pause"),
        Binding("r", "look", "look now"),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, look: Looking, tell: Telling, *, interval_s: float) -> None:
        super().__init__()
        self._look, self._tell, self._interval_s = look, tell, interval_s
        self._panel, self._is_paused = "1", False
        self._seen: Look | None = None
        self._seen_at_s = time.monotonic()
        self._problem = ""

    def compose(self) -> ComposeResult:
        yield Static("looking …", id="headline", markup=False)
        yield Static("", id="title", markup=False)
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Static("", id="as-of", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Look at once, and then again and again."""
        self.action_look()
        self.set_interval(self._interval_s, self._look_again)
        self.set_interval(1.0, self._say_how_old)

    def action_show(self, panel: str) -> None:
        """Show another table."""
        self._panel = panel
        self._draw()

    def action_pause(self) -> None:
        """Stop looking, or go on."""
        self._is_paused = not self._is_paused
        self._say_how_old()

    def action_look(self) -> None:
        """Look now, unless a look is under way."""
        if not any(worker.name == "look" and worker.is_running for worker in self.workers):
            self.run_worker(self._look_once, name="look", thread=True, exit_on_error=False)

    def on_data_table_row_selected(self, chosen: DataTable.RowSelected) -> None:
        """Say more about a line."""
        seen, key = self._seen, chosen.row_key.value
        if seen is not None and key is not None:
            panel = self._panel
            self.run_worker(lambda: self._told(panel, key, seen), thread=True, exit_on_error=False)

    def _look_again(self) -> None:
        if not self._is_paused:
            self.action_look()

    def _look_once(self) -> None:
        worker = get_current_worker()
        try:
            seen, problem = self._look(), ""
        except AegisError as error:
            seen, problem = None, str(error)
        if not worker.is_cancelled:
            self.call_from_thread(self._taken_up, seen, problem)

    def _taken_up(self, seen: Look | None, problem: str) -> None:
        self._problem = problem
        if seen is not None:
            self._seen, self._seen_at_s = seen, time.monotonic()
        self._draw()

    def _told(self, panel: str, key: str, seen: Look) -> None:
        try:
            text = self._tell(panel, key, seen)
        except AegisError as error:
            text = str(error)
        self.call_from_thread(self.push_screen, Detail("\n".join(map(plain, text.split("\n")))))

    def _draw(self) -> None:
        if self._is_closing():
            return
        panel, table = PANELS[self._panel], self.query_one(DataTable)
        self._say_how_old()
        if self._seen is None:
            return
        self.query_one("#headline", Static).update(headline(self._seen))
        rows, at = panel.rows(self._seen), table.cursor_row
        self.query_one("#title", Static).update(f"{panel.title}: {panel.empty}" if not rows else panel.title)
        table.clear(columns=True)
        table.add_columns(*panel.columns)
        for row in rows:
            # As Text, because a bare string would be read as markup, and data must not steer a terminal.
            table.add_row(*(Text(plain(cell)) for cell in row.cells), key=row.key)
        table.move_cursor(row=min(at, max(len(rows) - 1, 0)))

    def _is_closing(self) -> bool:
        """Timers and looks that are under way outlive the widgets."""
        return not self.query("#as-of")

    def _say_how_old(self) -> None:
        if self._is_closing():
            return
        told = "" if self._seen is None else as_text(self._seen, time.monotonic() - self._seen_at_s)
        told += "  ·  paused, p goes on" if self._is_paused else ""
        told += f"  ·  not updated: {self._problem}" if self._problem else ""
        self.query_one("#as-of", Static).update(told)
