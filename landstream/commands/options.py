"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StoreOption = Annotated[str, typer.Option("--store", metavar="DIR|s3://BUCKET", help="The store.")]
AreaOption = Annotated[Path, typer.Option("--area", metavar="AREA.yaml", help="The area file.")]
S3Option = Annotated[
    str, typer.Option("--store", metavar="s3://BUCKET", envvar="LANDSTREAM_STORE", help="The bucket; made if absent.")
]
KafkaOption = Annotated[
    str, typer.Option("--kafka", metavar="HOST:PORT", envvar="LANDSTREAM_KAFKA", help="Kafka's brokers.")
]
ProductArgument = Annotated[str, typer.Argument(metavar="PRODUCT", help="Full name of a Sentinel product.")]
LinkOption = Annotated[
    bool,
    typer.Option("--link", help="Link files instead of copying them: they become read-only and must not be changed."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable JSON.")]
