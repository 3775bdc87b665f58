"""Addresses of the pages that look across the parts."""

from django.urls import path

from portal.dashboard import system

urlpatterns = [path("system/", system.system, name="system")]
