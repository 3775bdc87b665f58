"""The product's settings with the peer's tables; used by `bench.peer` only."""

from portal.settings import *  # noqa: F403
from portal.settings import INSTALLED_APPS as PRODUCT

INSTALLED_APPS = [*PRODUCT, "import_export", "bench"]
