"""Addresses of the REST API."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView

from portal.api import problems
from portal.api.events import Events

urlpatterns = [
    path("v1/events/", Events.as_view(), name="api-events"),
    path(
        "v1/schema/",
        SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[]),
        name="api-schema",
    ),
    re_path("", problems.not_found, name="api-not-found"),
]
