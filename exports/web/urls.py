"""Addresses of the export pages."""

from django.urls import path

from exports.web import change, deliveries, export, listing, preview, run, server, servers

urlpatterns = [
    path("exports/", listing.export_list, name="exports"),
    path("exports/url", listing.export_url, name="export-url"),
    path("exports/new/", change.export_new, name="export-new"),
    path("exports/preview/name", preview.name_preview, name="export-name-preview"),
    path("exports/preview/samples", preview.sample, name="export-sample"),
    path("exports/<uuid:uid>/", export.export_page, name="export"),
    path("exports/<uuid:uid>/change/", change.export_change, name="export-change"),
    path("exports/<uuid:uid>/run", export.export_run, name="export-run"),
    path("exports/<uuid:uid>/backfill", export.export_backfill, name="export-backfill"),
    path("exports/<uuid:uid>/started", export.export_started, name="export-started"),
    path("exports/<uuid:uid>/delete", export.export_delete, name="export-delete"),
    path("exports/runs/<uuid:uid>/", run.run_page, name="run"),
    path("exports/runs/<uuid:uid>/file", run.run_file, name="run-file"),
    path("exports/deliveries/", deliveries.delivery_list, name="deliveries"),
    path("exports/deliveries/<uuid:uid>/<slug:act>", deliveries.delivery_act, name="delivery-act"),
    path("exports/servers/", servers.server_list, name="servers"),
    path("exports/servers/new/", servers.server_new, name="server-new"),
    path("exports/servers/<uuid:uid>/", server.server_page, name="server"),
    path("exports/servers/<uuid:uid>/test", server.server_test, name="server-test"),
    path("exports/servers/<uuid:uid>/pin", server.server_pin, name="server-pin"),
    path("exports/servers/<uuid:uid>/delete", server.server_delete, name="server-delete"),
]
