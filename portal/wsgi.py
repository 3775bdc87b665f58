"""The web process's entry for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from portal.web.bodies import Deadlines

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = Deadlines(get_wsgi_application())
