"""`eclip layout`: which CUs the streams of each worker would use."""

from typing import Annotated

import typer

from eclip.cli import output, values
from eclip.errors import InputError


def layout(
    gpu: Annotated[str, typer.Option(metavar="MI50|SYSFS", help="A product, or a folder of KFD topology.")],
    workers: Annotated[int, typer.Option(metavar="N", help="Models that share the GPU, 1 to 8.")],
    sizes: Annotated[str, typer.Option(metavar="LIST", help="Sizes of the masked streams of every worker, in CUs.")],
    form: output.Output = output.Format.JSON,
    to: output.To = None,
) -> None:
    """Show the CU masks of every worker's streams: nested per worker, least overlap between workers.

    The whole GPU is never a masked stream; it is the application's own one.

        eclip layout --gpu MI50 --workers 2 --sizes 15,30,45

        eclip layout --gpu MI50 --workers 3 --sizes 30,45 -o table
    """
    from eclip import layout as layouts
    from eclip.gpu import products
    from eclip.host import gpus
    from eclip.report import shapes

    if not 1 <= workers <= 8:
        raise InputError(f"--workers {workers}: 1 to 8 workers can share a GPU")
    chip = gpus.named(gpu)
    every = values.sizes("--sizes", sizes)
    streams = layouts.layout(chip, products.product(chip.product), [every] * workers)
    answer = shapes.layout_json(chip, streams)
    output.answer(answer, form, lambda: shapes.layout_table(answer), to)
