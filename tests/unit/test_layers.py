"""Who may import whom, and which modules touch the world outside. Read from the sources; nothing is imported."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "core" / "eclip"
WORLD = {"asyncio", "ctypes", "fcntl", "mmap", "multiprocessing", "os", "select", "shutil", "signal", "socket"}
WORLD |= {"subprocess", "sys", "tempfile", "termios", "threading", "time"}
EDGES = {
    "atomic": "writes files whole or not at all",
    "contention": "hands its arrays to the native contention model",
    "contention.abi": "calls the native contention model",
    "emulated": "lays out an emulated GPU's files",
    "emulated.clients": "asks the kernel who holds an emulated chip",
    "emulated.node_source": "fills the folder of a node's emulated GPUs",
    "emulated.program": "is a program",
    "optimize.combinations": "calls the native search over combinations of points",
    "optimize.native": "loads the planner's native part",
    "optimize.paths": "calls the native path search",
    "planning": "says how long the search took",
    "slot": "owns the folders of slots",
    "slot.held": "holds the files that programs write",
    "slot.stats": "reads what programs report",
}
"""Modules of the domain that touch the world, and why. Everything else under eclip (but host and cli) is pure."""
COMPONENTS = {
    "eclip_operator": ROOT / "operator",
    "eclip_device_plugin": ROOT / "device_plugin",
    "eclip_node_agent": ROOT / "node_agent",
}
CLUSTER = {*COMPONENTS, "kopf", "grpc", "kubernetes"}
OPERATOR_EDGES = {"__main__", "cluster", "connect", "handlers", "logs", "loop", "main", "metrics", "serving", "solver"}
OPERATOR_EDGES |= {"agents", "planner", "writer"}
"""Modules of the operator that touch the API server, the clock or processes. It decides everything in the others."""

AGENT_EDGES = {"__main__", "agent", "api_server", "devices", "housekeeping", "kubelet", "live", "main", "meters"}
AGENT_EDGES |= {"metrics", "processes", "serving", "slots", "store", "watchers"}
"""Modules of the node agent that touch the node, kubelet, the API server or the clock."""


def modules(package: Path) -> dict[str, Path]:
    found = {}
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules(PACKAGE)


def imports(path: Path) -> Iterator[str]:
    """Absolute names of all modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(module: str) -> str:
    """`cli`, `host`, `kubectl`, `report`, `wire`, or the domain."""
    first = module.removeprefix("slot.").split(".", maxsplit=1)[0].replace("__main__", "cli")
    return first if first in ("cli", "host", "kubectl", "report", "wire") else "domain"


def layers_imported(module: str) -> set[str]:
    ours = [name.removeprefix("eclip.") for name in imports(MODULES[module]) if name.startswith("eclip.")]
    return {layer(name) for name in ours if any(name == known or name.startswith(f"{known}.") for known in MODULES)}


PURE = [name for name in MODULES if layer(name) == "domain" and name not in EDGES]


def test_the_modules_named_here_exist() -> None:
    assert set(EDGES) <= set(MODULES)


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_does_not_touch_the_world(module: str) -> None:
    touched = {name.split(".", maxsplit=1)[0] for name in imports(MODULES[module])} & WORLD

    assert touched == set(), f"eclip.{module} should leave {touched} to an edge; see EDGES"


@pytest.mark.parametrize("module", EDGES)
def test_an_edge_is_one(module: str) -> None:
    touched = {name.split(".", maxsplit=1)[0] for name in imports(MODULES[module])} & WORLD

    assert touched, f"eclip.{module} is pure; take it out of EDGES"


@pytest.mark.parametrize("module", MODULES)
def test_nobody_imports_a_component_of_the_cluster(module: str) -> None:
    assert {name.split(".", maxsplit=1)[0] for name in imports(MODULES[module])} & CLUSTER == set()


@pytest.mark.parametrize("module", [name for name in MODULES if layer(name) == "domain"])
def test_the_domain_knows_no_host_no_report_and_no_command_line(module: str) -> None:
    assert layers_imported(module) <= {"domain", "wire"}


@pytest.mark.parametrize("module", [name for name in MODULES if layer(name) != "cli"])
def test_nobody_imports_the_command_line(module: str) -> None:
    assert "cli" not in layers_imported(module)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "slot.table"])
def test_only_the_table_knows_its_wire_format(module: str) -> None:
    assert layer(module) == "wire" or "wire" not in layers_imported(module)


def test_the_emulated_gpu_is_reached_by_the_host_and_reports_only() -> None:
    users = {name for name in MODULES if any(used.startswith("eclip.emulated") for used in imports(MODULES[name]))}

    assert {layer(name) for name in users if not name.startswith("emulated")} <= {"cli", "host", "report"}


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_of_the_cluster_imports_no_other(component: str) -> None:
    files = modules(COMPONENTS[component] / component)
    imported = {name.split(".", maxsplit=1)[0] for path in files.values() for name in imports(path)}

    assert files
    assert imported & set(COMPONENTS) <= {component}


PLUGIN = modules(COMPONENTS["eclip_device_plugin"] / "eclip_device_plugin")
PLUGIN_PURE = {"ceilings", "container", "double", "gpus", "node_config", "preference", "presence", "shares"}


@pytest.mark.parametrize("module", sorted(PLUGIN_PURE))
def test_the_plugin_decides_without_touching_the_world(module: str) -> None:
    imported = set(imports(PLUGIN[module]))
    edges = {f"eclip_device_plugin.{edge}" for edge in PLUGIN if edge not in PLUGIN_PURE}

    assert {name.split(".", maxsplit=1)[0] for name in imported} & (WORLD | {"grpc", "kubernetes"}) == set()
    assert imported & edges == set()


@pytest.mark.parametrize("module", PLUGIN)
def test_the_plugin_knows_no_api_server_and_no_kopf(module: str) -> None:
    assert {name.split(".", maxsplit=1)[0] for name in imports(PLUGIN[module])} & {"kubernetes", "kopf"} == set()


OPERATOR = modules(COMPONENTS["eclip_operator"] / "eclip_operator")


@pytest.mark.parametrize("module", [name for name in OPERATOR if name not in OPERATOR_EDGES])
def test_the_operator_decides_without_touching_the_world(module: str) -> None:
    imported = set(imports(OPERATOR[module]))
    edges = {f"eclip_operator.{edge}" for edge in OPERATOR_EDGES}

    assert {name.split(".", maxsplit=1)[0] for name in imported} & (WORLD | {"aiohttp", "kopf", "kubernetes"}) == set()
    assert imported & edges == set()


AGENT = modules(COMPONENTS["eclip_node_agent"] / "eclip_node_agent")


@pytest.mark.parametrize("module", [name for name in AGENT if name not in AGENT_EDGES and not name.startswith("wire")])
def test_the_agent_decides_without_touching_the_world(module: str) -> None:
    imported = set(imports(AGENT[module]))
    edges = {f"eclip_node_agent.{edge}" for edge in AGENT_EDGES}

    assert {name.split(".", maxsplit=1)[0] for name in imported} & (WORLD | {"grpc", "kubernetes", "pathlib"}) == set()
    assert imported & edges == set()


KUBECTL = [
    name for name in MODULES if name.startswith("kubectl") and name not in ("kubectl.client", "kubectl.profiling")
]


@pytest.mark.parametrize("module", KUBECTL)
def test_kubectl_eclip_decides_without_touching_the_world(module: str) -> None:
    assert {name.split(".", maxsplit=1)[0] for name in imports(MODULES[module])} & WORLD == set()
