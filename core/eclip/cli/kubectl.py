"""`kubectl eclip`: what happens on a cluster's GPUs. The commands of the console script `kubectl-eclip`."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live

from eclip.cli import output, progress

if TYPE_CHECKING:
    from eclip.api import NodeColocation
    from eclip.kubectl.client import Kubectl
    from eclip.kubectl.dry_run import Trial

COMMANDS = typer.Typer(
    name="kubectl eclip",
    no_args_is_help=True,
    add_completion=False,  # a shell asks kubectl, which asks nobody
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    help="""Who shares which GPU of the cluster, with which compute units, and whether it is in force.

It uses your kubectl, and has no rights but yours.

Exit codes: 0 done, 1 failed, 2 bad input, 3 infeasible.
""",
)

Context = Annotated[
    str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig.", rich_help_panel="Cluster")
]
Config = Annotated[
    str | None, typer.Option("--kubeconfig", metavar="FILE", help="Kubeconfig to use.", rich_help_panel="Cluster")
]
Namespace = Annotated[
    str | None,
    typer.Option("-n", "--namespace", metavar="NAME", help="Default: the context's.", rich_help_panel="Cluster"),
]


@COMMANDS.callback()
def _root() -> None:
    pass


@COMMANDS.command()
def status(
    *,
    node: Annotated[str | None, typer.Argument(metavar="[NODE]", help="This node alone.")] = None,
    context: Context = None,
    kubeconfig: Config = None,
    form: output.Output = output.Format.TABLE,
    to: output.To = None,
) -> None:
    """Show all GPU nodes, and every slot that a pod has: groups, state and why, rates, latency against objective."""
    from eclip.kubectl import answers

    found = answers.status_json(_nodes(_kubectl(context, kubeconfig), node))
    output.answer(found, form, lambda: answers.status_table(found), to)


@COMMANDS.command()
def top(
    *,
    once: Annotated[bool, typer.Option("--once", help="Answer once, and end.")] = False,
    interval: Annotated[float, typer.Option(metavar="SECONDS", help="Between two looks.")] = 2.0,
    context: Context = None,
    kubeconfig: Config = None,
    form: output.Output = output.Format.TABLE,
) -> None:
    """Show what every slot does, live. Agents report figures that moved within half a minute; metrics are finer."""
    from eclip.kubectl import answers, cluster

    kubectl = _kubectl(context, kubeconfig)

    def slots() -> list[dict[str, Any]]:
        return [answers.place_json(place) for place in cluster.places(_nodes(kubectl, None))]

    if once or form is not output.Format.TABLE:
        found = slots()
        output.answer({"slots": found}, form, lambda: answers.top_table(found))
        return
    with Live(console=Console(), refresh_per_second=4) as live:
        while True:
            live.update(answers.top_table(slots()))
            time.sleep(interval)


@COMMANDS.command()
def explain(
    *,
    pod: Annotated[str, typer.Argument(metavar="POD", help="A pod with a share of a GPU.")],
    container: Annotated[
        str | None, typer.Option("-c", "--container", metavar="NAME", help="One of its containers.")
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Config = None,
    form: output.Output = output.Format.TABLE,
    to: output.To = None,
) -> None:
    """Say what was decided for a pod, why, and what to do where something is wrong."""
    from eclip.kubectl import answers, cluster

    kubectl = _kubectl(context, kubeconfig)
    nodes = _nodes(kubectl, None)
    places = cluster.of_pod(nodes, _namespace(kubectl, pod, namespace), pod, container)
    found = [answers.explain_json(place, cluster.mates(nodes, place)) for place in places]
    output.answer({"slots": found}, form, lambda: "\n".join(map(answers.explanation, found)), to)


@COMMANDS.command()
def plan(
    *,
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="A ColocationPolicy.")],
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Config = None,
    form: output.Output = output.Format.TABLE,
    to: output.To = None,
) -> None:
    """Plan a policy's workloads side by side on every kind of GPU of the cluster. A dry run: nothing is changed."""
    from eclip.api import ColocationPolicy, KernelProfile
    from eclip.kubectl import dry_run

    kubectl = _kubectl(context, kubeconfig)
    where = (f"--namespace={namespace}",) if namespace else ()
    wanted = ColocationPolicy.read(kubectl.get("colocationpolicies", policy, *where))
    known = [
        KernelProfile.read(item) for item in kubectl.items("kernelprofiles", f"--namespace={wanted.metadata.namespace}")
    ]
    with progress.working("Planning"), output.reserved():
        found = dry_run.trials(wanted, {each.metadata.name: each for each in known}, _nodes(kubectl, None))
    answers = [_trial_json(trial) for trial in found]
    output.answer({"gpus": answers}, form, lambda: Group(*map(_trial_table, answers)), to)


@COMMANDS.command()
def profile(
    *,
    pod: Annotated[str, typer.Argument(metavar="POD", help="A running pod with a share of a GPU.")],
    container: Annotated[
        str | None, typer.Option("-c", "--container", metavar="NAME", help="One of its containers.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the KernelProfile (default: the pod's and the GPU's).")
    ] = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="Although others are busy on the GPU; the profile says so.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it, and apply nothing.")] = False,
    patience: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait.")] = 600.0,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Config = None,
    form: output.Output = output.Format.YAML,
    to: output.To = None,
) -> None:
    """Time a pod's kernels on every size while it serves requests, and apply the profile.

    Your rights are used throughout: to annotate the pod, to read the profile in its node's agent, and to apply it.
    """
    from rich.table import Table

    from eclip.errors import InputError
    from eclip.kubectl import cluster, profiling

    kubectl = _kubectl(context, kubeconfig)
    nodes = _nodes(kubectl, None)
    places = cluster.of_pod(nodes, _namespace(kubectl, pod, namespace), pod, container)
    if len(places) > 1:
        raise InputError(f"pod {pod}: {len(places)} of its containers have a share; name one by --container")
    place = places[0]
    profiling.refuse_if_busy(place, cluster.mates(nodes, place), shared=shared)
    called = name or f"{pod}-{place.gpu.product}".lower().replace(" ", "-")
    with progress.bar(f"Profiling {place.pod}") as show:
        found = profiling.take(profiling.Wish(place, called, shared, patience), kubectl, show)
    made = profiling.document(found)
    if not dry_run:
        kubectl.apply(made)
    table = Table("profile", "GPU", "kernels", "sizes", "origin")
    row = (called, place.gpu.product, str(len(found.spec.kernels)), ", ".join(map(str, found.spec.sizes)))
    table.add_row(*row, found.spec.origin)
    output.answer(made, form, lambda: table, to)


def _kubectl(context: str | None, kubeconfig: str | None) -> "Kubectl":
    from eclip.kubectl.client import Kubectl

    given = (("--context", context), ("--kubeconfig", kubeconfig))
    return Kubectl(tuple(f"{flag}={value}" for flag, value in given if value))


def _nodes(kubectl: "Kubectl", node: str | None) -> "tuple[NodeColocation, ...]":
    from eclip.kubectl import cluster

    return cluster.nodes([kubectl.get("nodecolocations", node)] if node else kubectl.items("nodecolocations"))


def _namespace(kubectl: "Kubectl", pod: str, given: str | None) -> str:
    """Where the pod is: what was said, or what kubectl takes without being told."""
    if given:
        return given
    return str(kubectl.get("pod", pod)["metadata"]["namespace"])


def _trial_json(trial: "Trial") -> dict[str, Any]:
    from eclip.report import shapes

    return {
        "product": trial.gpu.product,
        "computeUnits": trial.gpu.compute_units,
        "nodes": list(trial.nodes),
        "unmasked": list(trial.unmasked),
        "plan": shapes.plan_json(trial.gpu, trial.made.full) if trial.made else None,
    }


def _trial_table(answer: dict[str, Any]) -> Group:
    from eclip.report import shapes

    head = f"{answer['product']} ({answer['computeUnits']} CUs) on {', '.join(answer['nodes'])}"
    plain = ", ".join(answer["unmasked"])
    tail = [f"without masks, for want of a profile: {plain}"] if plain else []
    return Group(head, *([shapes.plan_table(answer["plan"])] if answer["plan"] else []), *tail)
