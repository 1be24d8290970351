"""All commands of `eclip`, in the order in which a newcomer meets them."""

import typer

from eclip.cli import apply, doctor, inspect, layout, plan, profile, run, simulate, slot, top

UsageError: type[typer.BadParameter] = typer.BadParameter.__mro__[2]
"""ClickException, the root of what the parser raises: of click, or of the copy of it that newer typer carries."""

Abort = typer.Abort

COMMANDS = typer.Typer(
    name="eclip",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    help="""Several HIP programs on one AMD GPU, each group of kernels on the compute units it can use.

A first session:

    eclip doctor                                    # is this host fit?
    eclip profile --to alexnet.yaml -- ./alexnet    # how long takes each kernel on how many CUs?
    eclip plan -f colocation.yaml                   # who gets which CUs, and what will that bring?
    eclip simulate -f colocation.yaml -o table      # and what would the other strategies bring?
    eclip run colocation.yaml                       # start the programs and enforce the plan

Exit codes: 0 done, 1 failed, 2 bad input, 3 infeasible, 4 not in force.
""",
)


@COMMANDS.callback()
def _root() -> None:
    pass


for _command in (
    doctor.doctor,
    profile.profile,
    layout.layout,
    plan.plan,
    simulate.simulate,
    run.run,
    apply.apply,
    top.top,
    inspect.inspect,
):
    COMMANDS.command()(_command)
COMMANDS.add_typer(slot.COMMANDS, name="slot")
