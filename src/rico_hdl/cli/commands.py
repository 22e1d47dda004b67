"""The commands of the command line, generated from the dataset specs."""

from __future__ import annotations

import textwrap

import click

from rico_hdl._version import __version__
from rico_hdl.cli.datasets import datasets_command
from rico_hdl.cli.export import export_command
from rico_hdl.cli.georef import georef_command
from rico_hdl.cli.info import info_command
from rico_hdl.cli.new import new_command
from rico_hdl.cli.options import Job, job_from, options_for
from rico_hdl.cli.stats import stats_command
from rico_hdl.cli.subsets import merge_command, select_command
from rico_hdl.cli.table import table_command
from rico_hdl.cli.verify import verify_command
from rico_hdl.datasets import built_in, packaged, registry, resolve, usable
from rico_hdl.spec import DatasetSpec


class _Convert(click.Group):
    """A command for each dataset, by its name or by the path of a TOML file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(registry())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if not ctx.resilient_parsing:
            return _conversion_command(resolve(cmd_name))
        # To complete a command line, names suffice: no broken package may prevent it.
        spec = usable(cmd_name)
        return None if spec is None else _conversion_command(spec)


_OTHERS = {
    "convert": _Convert(
        "convert",
        short_help="Convert a dataset, also one of your own.",
        help="Convert DATASET: the name of a supported one, or the TOML file of your own.",
        subcommand_metavar="DATASET [OPTIONS]",
        context_settings={"max_content_width": 100},
    ),
    "new": new_command,
    "verify": verify_command,
    "info": info_command,
    "stats": stats_command,
    "select": select_command,
    "merge": merge_command,
    "georef": georef_command,
    "table": table_command,
    "export": export_command,
    "datasets": datasets_command,
}


class _Root(click.Group):
    """All commands; each is created on request."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [*registry(), *_OTHERS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _OTHERS:
            return _OTHERS[cmd_name]
        spec = usable(cmd_name) if ctx.resilient_parsing else registry().get(cmd_name)
        return None if spec is None else _conversion_command(spec)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        # Names only: a title for each would fill screens, and need every dataset's spec.
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str()) for name, one in _OTHERS.items()])
        with formatter.section("Datasets, each the command that converts it"):
            room = formatter.width - formatter.current_indent
            lines = textwrap.wrap(", ".join(registry()), room, break_on_hyphens=False)
            formatter.write("".join(f"{'':{formatter.current_indent}}{line}\n" for line in lines))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            if args[0] in packaged().refused:
                raise click.UsageError(packaged().refused[args[0]], ctx) from None
            from difflib import get_close_matches  # noqa: PLC0415 - for this message only

            known = self.list_commands(ctx)
            near = get_close_matches(args[0], known, 1)
            guess = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{guess}", ctx) from None


def _example(spec: DatasetSpec) -> str:
    sources = " ".join(f"{m.option} {m.folder or 'FOLDER'}" for m in spec.modalities[:2])
    return f"\b\nExample:\n  rico-hdl {spec.name} {sources} --target-dir Encoded-{spec.name}"


root = _Root(
    name="rico-hdl",
    help="Convert a remote-sensing dataset into one LMDB of safetensors, for fast deep learning.",
    epilog=(
        f"{_example(built_in()[next(iter(built_in()))])}\n\n"
        "Each conversion continues where an earlier run stopped, and adds missing patches. "
        "See `rico-hdl datasets` for a list of the datasets, and `rico-hdl datasets NAME` for the "
        "expected folders of one."
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
root = click.version_option(__version__, prog_name="rico-hdl")(root)


def _conversion_command(spec: DatasetSpec) -> click.Command:
    """The command that converts a dataset."""

    def call(**values: object) -> int:
        return _convert(job_from(spec, values))

    return click.Command(
        spec.name,
        callback=call,
        params=options_for(spec),
        short_help=f"Convert {spec.title}.",
        help=_help(spec),
        epilog=_example(spec),
        context_settings={"max_content_width": 100},
    )


def _help(spec: DatasetSpec) -> str:
    layouts = "\n".join(
        f"  {m.option} {m.folder or 'FOLDER'}:\n    {m.files}\n    such as {m.example}"
        for m in spec.modalities
    )
    notes = "".join(f"\n\n{note}" for note in spec.notes)
    several = len(spec.modalities) > 1
    wanted = "\n\nGive one or more of the sources." if several else ""
    return (
        f"Convert {spec.title} into an LMDB of safetensors.\n\n{spec.summary}{wanted}\n\n"
        f"\b\nExpected files:\n{layouts}{notes}"
    )


def _convert(job: Job) -> int:
    # Imported here, so that help texts don't pay for lmdb and threads.
    from rico_hdl.cli.conversion import (  # noqa: PLC0415
        print_dry_run,
        run_conversion,
        with_all_sources,
    )

    if job.spec.name in built_in() and (refused := packaged().refused.get(job.spec.name)):
        click.echo(f"warning: {refused}", err=True)
    job = with_all_sources(job)
    return print_dry_run(job) if job.dry_run else run_conversion(job)
