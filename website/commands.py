"""The reference of the command line, generated from the commands and their help texts.

In: click's commands. Out: Markdown.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

import click

from rico_hdl.cli.commands import root
from rico_hdl.cli.options import FOR_ALL
from rico_hdl.datasets import registry
from rico_hdl.spec import DatasetSpec
from website.tables import code, table

_INTRODUCTION = """\
This page is generated from the program; `rico-hdl COMMAND --help` prints the same.
[Convert](convert.md) explains the options that all conversions share, and the exit codes."""


def page() -> str:
    """The whole page."""
    context = _context(root)
    commands = {name: root.get_command(context, name) for name in root.list_commands(context)}
    found = {name: command for name, command in commands.items() if command is not None}
    datasets = {name: found.pop(name) for name in registry()}
    parts = [
        "# Commands",
        _INTRODUCTION,
        "## rico-hdl",
        _options(_shown(root)),
        *_conversions(datasets),
    ]
    for name, command in found.items():
        parts += [
            f"## rico-hdl {name}",
            _usage(command, name),
            _help(command),
            _options(_shown(command)),
        ]
    return "\n\n".join(parts) + "\n"


def _conversions(commands: dict[str, click.Command]) -> list[str]:
    """The options that all datasets' commands share, and then each command's own."""
    specs = registry()
    own = {name: {FOR_ALL, *(m.option for m in specs[name].modalities)} for name in commands}
    first = next(iter(commands))
    shared = [p for p in _shown(commands[first]) if not own[first] & {*p.opts}]
    usage = "```text\nrico-hdl DATASET SOURCES… --target-dir FOLDER [OPTIONS]\n```"
    about = "Each dataset has a command. All take these options as well as their sources:"
    parts = ["## rico-hdl DATASET", usage, about, _options(shared)]
    for name, command in commands.items():
        sources = [p for p in _shown(command) if own[name] & {*p.opts}]
        if len(sources) + len(shared) != len(_shown(command)):
            raise ValueError(f"{name} has other options than {first}: list each one's options")
        parts += [f"### rico-hdl {name}", _about(specs[name]), _options(sources)]
    return parts


def _about(spec: DatasetSpec) -> str:
    return f"{spec.summary} See [{spec.title}](datasets/{spec.name}.md)."


def _shown(command: click.Command) -> list[click.Option]:
    """The options that the help lists."""
    options = [p for p in command.get_params(_context(command)) if isinstance(p, click.Option)]
    return [option for option in options if not option.hidden]


def _usage(command: click.Command, name: str) -> str:
    context = _context(command)
    pieces = ["rico-hdl", name, *command.collect_usage_pieces(context)]
    return f"```text\n{' '.join(pieces)}\n```"


def _context(command: click.Command) -> click.Context:
    """The context in which the command would be called."""
    above = click.Context(root, **root.context_settings)
    return above if command is root else click.Context(command, parent=above)


def _help(command: click.Command) -> str:
    text = inspect.cleandoc(command.help or "")
    return re.sub(r"(--[-\w]+(?: [A-Z]{3,})?)", r"`\1`", text)


def _options(options: Iterable[click.Option]) -> str:
    rows = [(", ".join(map(code, _spellings(option))), _meaning(option)) for option in options]
    return table(("option", "what it does"), rows)


def _spellings(option: click.Option) -> list[str]:
    """The option's spellings, the longest with its value."""
    value = "" if option.is_flag else f" {option.make_metavar(_context(root))}"
    return [*option.opts[:-1], f"{option.opts[-1]}{value}"]


def _meaning(option: click.Option) -> str:
    text = (option.help or "").replace("  [", " [")
    return f"{text} [default: {option.default}]" if option.show_default else text
