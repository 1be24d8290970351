"""A cluster by hand: `python -m kube up|down`."""

import argparse
import sys

from kube.cluster import NAMES, running, up
from kube.commands import ClusterError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kube", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("up", help="starts a cluster and prints its KUBECONFIG")
    starting.add_argument("nodes", nargs="*", default=NAMES, help="names of the nodes")
    commands.add_parser("down", help="removes every cluster of this machine but those of tests that run")
    given = parser.parse_args()
    try:
        if given.command == "up":
            print(f"export KUBECONFIG={up(given.nodes).access.kubeconfig}")
        else:
            for cluster in (one for one in running() if one.abandoned):
                cluster.down()
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
