"""A cluster by hand: `python -m kube check|up|build|demo|down`."""

import argparse
import sys

from kube import demo, images, release, requirements
from kube.binaries import binaries
from kube.cluster import NAMES, Cluster, running, up
from kube.commands import ClusterError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kube", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="says what this machine lacks for a cluster, if anything")
    starting = commands.add_parser("up", help="starts a cluster and prints its KUBECONFIG")
    starting.add_argument("nodes", nargs="*", default=NAMES, help="names of the nodes")
    commands.add_parser("build", help="builds what a cluster runs: Kubernetes, etcd and all images")
    commands.add_parser("demo", help="starts a cluster with ECLIP and four programs, and shows it")
    commands.add_parser("down", help="removes every cluster of this machine but those of tests that run")
    given = parser.parse_args()
    try:
        match given.command:
            case "up":
                _say(up(given.nodes))
            case "check":
                requirements.check()
            case "build":
                requirements.check()
                binaries()
                images.pause()
                release.archive()
            case "demo":
                _say(demo.run())
            case "down":
                for cluster in (one for one in running() if one.abandoned):
                    cluster.down()
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _say(cluster: Cluster) -> None:
    print(f"export KUBECONFIG={cluster.access.kubeconfig} PATH={binaries()}:$PATH")


if __name__ == "__main__":
    sys.exit(main())
