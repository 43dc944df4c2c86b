"""Run by Alembic: one transaction over all migrations."""

import sqlalchemy as sa
from alembic import context

from collector.store.schema import metadata
from collector.store.schema_desk import NOT_MOTION  # noqa: F401 - makes its indexes known
from collector.store.schema_identity import certificates  # noqa: F401 - makes its tables known
from collector.store.schema_releases import releases  # noqa: F401 - likewise

engine = sa.create_engine(context.config.attributes["url"])
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
