"""What hookrunner remembers, in one SQLite file: the only importer of sqlite3.

`Store` is the door. Writes go through one thread that commits in groups
(`hookrunner.adapters.store.writer`), reads through a few read-only connections
(`hookrunner.adapters.store.readers`); SQL lives in the ``.sql`` files, by subject.
"""

from hookrunner.adapters.store.records import (
    Changes,
    DeliveryQuery,
    RunQuery,
    Similar,
    UseQuery,
)
from hookrunner.adapters.store.store import Store

__all__ = ["Changes", "DeliveryQuery", "RunQuery", "Similar", "Store", "UseQuery"]
