"""Edge: the user's own `kubectl`."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eclip.errors import EclipError, InputError

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs `kubectl` with the flags that the user gave us for it."""

    flags: tuple[str, ...] = ()
    """Such as --context=C."""
    program: str = field(default_factory=lambda: shutil.which("kubectl") or "kubectl")

    def get(self, *what: str) -> dict[str, Any]:
        """The JSON of `kubectl get`.

        Raises:
            EclipError: kubectl's own words.
        """
        try:
            found = json.loads(self.run("get", *what, "--output=json"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise EclipError(f"kubectl get {' '.join(what)}: the answer is no JSON object")
        return found

    def items(self, *what: str) -> list[dict[str, Any]]:
        """The objects of a list."""
        return list(self.get(*what).get("items", []))

    def apply(self, document: Mapping[str, Any]) -> None:
        """Applies a document server-side, with the user's rights."""
        self.run("apply", "--server-side", "--filename=-", given=json.dumps(document))

    def run(self, *words: str, given: str | None = None) -> str:
        """Standard output.

        Raises:
            InputError: there is no kubectl.
            EclipError: it failed; the message is its last line.
        """
        command: Sequence[str] = (self.program, *self.flags, *words)
        try:
            done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        except FileNotFoundError:
            raise InputError("kubectl is not on PATH; install it, it is how the cluster is reached") from None
        except subprocess.TimeoutExpired:
            raise EclipError(f"kubectl {words[0]}: no answer within {PATIENCE_S:.0f} s") from None
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
            raise EclipError(f"kubectl {words[0]}: {lines[-1]}")
        return done.stdout
