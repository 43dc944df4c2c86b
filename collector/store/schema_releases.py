"""The tables of releases, beside those of schema.py and under its rules."""

from sqlalchemy import BigInteger, Column, ForeignKey, Table, Text

from collector.store.schema import metadata

releases = Table(
    "releases",
    metadata,
    Column("version", Text, primary_key=True),
    Column("manifest", Text, nullable=False),  # exactly what was signed
    Column("signature", Text, nullable=False),
    Column("added_ms", BigInteger, nullable=False),
    Column("ring", Text),  # first | some | all: to whom it is offered; NULL = to nobody
    Column("stopped_ms", BigInteger),
    Column("stopped_by", Text),
)

box_rings = Table(  # boxes that are not of ring `all`
    "box_rings",
    metadata,
    Column("box", Text, ForeignKey("boxes.id"), primary_key=True),
    Column("ring", Text, nullable=False),
)
