"""The names of all commands, where each is, and the group that loads one when it is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.command import WIDTH, Command
from flowkit.cli.invocation import of_context
from flowkit.errors import FlowkitBug, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is (`module:name`) and what it does, in one line for the overview."""

    place: str
    summary: str


COMMANDS: Mapping[str, Entry] = {
    "run": Entry("flowkit.cli.run:run_command", "Run a flow."),
    "resume": Entry("flowkit.cli.resume:resume_command", "Go on where an earlier run failed."),
    "spin": Entry("flowkit.cli.spin:spin_command", "Run one step by itself."),
    "check": Entry("flowkit.cli.check:check_flow", "Check a flow without running it."),
    "show": Entry("flowkit.cli.show:show", "Show a flow file, a run, a step or a task."),
    "graph": Entry("flowkit.cli.graph:draw_graph", "Draw a flow's steps."),
    "output-dot": Entry("flowkit.cli.graph:output_dot", "The same as `graph --format dot`."),
    "output-raw": Entry("flowkit.cli.graph:output_raw", "The same as `graph --format json`."),
    "logs": Entry("flowkit.cli.logs:print_logs", "Print what tasks printed."),
    "logs show": Entry("flowkit.cli.logs:show_logs", "The same as `logs`."),
    "logs scrub": Entry(
        "flowkit.cli.scrub:scrub_logs", "Take what tasks printed out of the store."
    ),
    "explain": Entry("flowkit.cli.explain:explain_tasks", "Say why tasks ran, or were reused."),
    "dump": Entry("flowkit.cli.dump:dump_artifacts", "Print or save the artifacts of tasks."),
    "card view": Entry("flowkit.cli.card:view_card", "Open a card in a browser."),
    "card create": Entry("flowkit.cli.card:create_card", "Make a card of a task that has ended."),
    "card get": Entry("flowkit.cli.card:get_card", "Print or save a card's HTML."),
    "card list": Entry("flowkit.cli.card:list_cards", "List the cards of tasks."),
    "card server": Entry("flowkit.cli.card:serve_cards", "Show cards while a run goes on."),
    "list flows": Entry("flowkit.cli.listing:list_flows", "List flows that have runs."),
    "list runs": Entry("flowkit.cli.listing:list_runs", "List runs, newest first."),
    "list steps": Entry("flowkit.cli.listing:list_steps", "List the steps of a run."),
    "list tasks": Entry("flowkit.cli.listing:list_tasks", "List the tasks of a run or a step."),
    "list artifacts": Entry("flowkit.cli.listing:list_artifacts", "List the artifacts of tasks."),
    "tag add": Entry("flowkit.cli.tag:add_tags", "Add tags to a run."),
    "tag remove": Entry("flowkit.cli.tag:remove_tags", "Remove tags from a run."),
    "tag replace": Entry("flowkit.cli.tag:replace_tag", "Replace one tag of a run by another."),
    "tag list": Entry("flowkit.cli.tag:list_tags", "List the tags of a run."),
    "run delete": Entry("flowkit.cli.delete:delete_runs", "Delete runs for good."),
    "gc": Entry("flowkit.cli.gc:collect_garbage", "Remove stored bytes that no run needs."),
    "store verify": Entry("flowkit.cli.store:verify_store", "Check every stored byte."),
    "store reindex": Entry("flowkit.cli.store:reindex_store", "Build the index of runs again."),
    "table list": Entry("flowkit.cli.table:list_tables", "List the tables of a catalog."),
    "table show": Entry("flowkit.cli.table:show_table", "Show what a table is and holds."),
    "table scan": Entry("flowkit.cli.table:scan_table", "Print rows of a table."),
    "table sql": Entry("flowkit.cli.table:query_table", "Ask about a table in SQL."),
    "table history": Entry("flowkit.cli.table:show_history", "Show how a table came to be."),
    "table snapshots": Entry("flowkit.cli.table:list_snapshots", "List all versions of a table."),
    "table branch": Entry(
        "flowkit.cli.table_upkeep:change_branches", "List, make, publish or delete branches."
    ),
    "table expire": Entry(
        "flowkit.cli.table_upkeep:expire_snapshots", "Forget old versions of a table."
    ),
    "table clean": Entry(
        "flowkit.cli.table_upkeep:clean_table", "Delete files that nothing leads to."
    ),
    "migrate": Entry(
        "flowkit.cli.migrate:migrate_files", "Turn Metaflow flows into flowkit flows."
    ),
    "settings": Entry("flowkit.cli.settings:show_settings", "Show each setting and its origin."),
    "doctor": Entry("flowkit.cli.doctor:examine", "Check that flowkit can work here."),
    "completion": Entry(
        "flowkit.cli.completion:print_completion", "Print a shell completion script."
    ),
    "version": Entry("flowkit.cli.version:show_version", "Print versions."),
}
"""All commands, in the order of the overview."""

FAMILIES: Mapping[str, str] = {
    "card": "Look at the cards of tasks.",
    "list": "List flows, runs, steps, tasks or artifacts.",
    "tag": "Add, remove, replace or list the tags of a run.",
    "store": "Verify the store, or build the index again from it.",
    "table": "Look into Iceberg tables, and keep them in order.",
}
"""First words that are no command by themselves."""


def load_command(name: str) -> Command:
    """Import a command by its full name."""
    module, _, attribute = COMMANDS[name].place.partition(":")
    made = getattr(import_module(module), attribute)
    if not isinstance(made, Command):
        raise FlowkitBug(f"`{COMMANDS[name].place}` is no command")
    return made


class Menu(click.Group):
    """Commands by name, each imported when it is named and not before.

    `prefix` is the first word of a family, empty at the top.
    """

    def __init__(self, name: str, *, prefix: str = "", **rest: Any) -> None:
        rest.setdefault("context_settings", {"max_content_width": WIDTH})
        rest.setdefault("no_args_is_help", False)
        super().__init__(name, **rest)
        self._prefix = f"{prefix} " if prefix else ""

    @property
    def summaries(self) -> dict[str, str]:
        """What can be typed next, and what it does."""
        found: dict[str, str] = {}
        for full, entry in COMMANDS.items():
            if not full.startswith(self._prefix):
                continue
            name = full.removeprefix(self._prefix)
            family = name.split(" ")[0]
            if not self._prefix and family in FAMILIES:
                found[family] = FAMILIES[family]
            else:
                found[name] = entry.summary
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names that can be typed next."""
        return [name for name in self.summaries if " " not in name]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or make the menu of a family."""
        if not self._prefix and cmd_name in FAMILIES:
            return Menu(cmd_name, prefix=cmd_name, help=FAMILIES[cmd_name])
        full = self._prefix + cmd_name
        return load_command(full) if full in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` begin with, be it of one word or of two.

        Raises:
            UsageError: no command has that name.
        """
        if not self._prefix and args[0] == "help":
            args = [*args[1:], "--help"]
            if len(args) == 1:
                click.echo(ctx.get_help())
                ctx.exit()
        two = not self._prefix and args[0] not in FAMILIES and " ".join(args[:2]) in COMMANDS
        words = 2 if two else 1
        name, rest = " ".join(args[:words]), args[words:]
        found = self.get_command(ctx, name)
        if found is None:
            raise unknown_command(self._prefix + name, list(self.summaries))
        script = of_context(ctx).script
        if script is not None and isinstance(found, Command) and found.takes_flow:
            rest = [script.source, *rest]
        return name, found, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview from the table, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the names that can be typed next."""
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=summary)
            for name, summary in self.summaries.items()
            if name.startswith(incomplete) and " " not in name
        ]


def unknown_command(name: str, known: list[str]) -> UsageError:
    """Say that a command does not exist, and which one may have been meant."""
    last = name.split(" ")[-1]
    near = get_close_matches(last, known, n=1)
    return UsageError(
        f"`{name}` is no command",
        hint=f"did you mean `{near[0]}`?" if near else "run `flowkit --help` to see all commands",
    )
