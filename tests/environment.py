"""The test run's environment, set before any plugin loads Django's settings.

Named by `-p` in pyproject.toml: pytest-django loads settings before conftest.py is read, and an
xdist worker inherits the controller's variables, which are not its own.
"""

from tests.embedded import set_environment

set_environment()
