"""Every example is a colocation file that can be planned on the GPU that it names."""

from pathlib import Path

import pytest

from eclip import planning
from eclip.documents import colocation
from eclip.gpu import products
from eclip.host import mix

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_can_be_planned(path):
    spec = colocation.load(path)
    question = mix.of(spec, spec.gpu)

    made = planning.make_plan(products.gpu_for("MI50"), products.product("MI50"), question.workloads, question.options)

    assert len(made.full.workers) == len(spec.workloads)


def test_there_are_examples():
    assert len(EXAMPLES) >= 3
