"""All addresses of the portal."""

from django.urls import include, path

from portal.dashboard import metrics
from portal.web import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("api/", include("portal.api.urls")),
    path("", include("portal.web.urls")),
    path("", include("imports.web.urls")),
    path("", include("exports.web.urls")),
    path("", include("portal.dashboard.urls")),
]
