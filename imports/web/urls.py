"""Addresses of the import pages."""

from django.urls import path

from imports.web import arrivals, begin, job, jobs, lookups, template_changes, templates, undo
from imports.web.wizard import check, choose, field, file, mapping, settings

urlpatterns = [
    path("jobs/", jobs.job_list, name="jobs"),
    path("jobs.csv", jobs.job_csv, name="jobs-csv"),
    path("jobs/number/<int:number>/", job.job_by_number, name="job-by-number"),
    path("jobs/<uuid:uid>/", job.job_page, name="job"),
    path("jobs/<uuid:uid>/release", job.job_release, name="job-release"),
    path("jobs/<uuid:uid>/discard", job.job_discard, name="job-discard"),
    path("jobs/<uuid:uid>/retry", job.job_retry, name="job-retry"),
    path("jobs/<uuid:uid>/correct", undo.job_correct, name="job-correct"),
    path("jobs/<uuid:uid>/again", undo.job_again, name="job-again"),
    path("jobs/<uuid:uid>/undo/", undo.undo_page, name="job-undo"),
    path("jobs/<uuid:uid>/undo/confirm", undo.undo_confirm, name="job-undo-confirm"),
    path("jobs/<uuid:uid>/errors", job.job_attachment, name="job-attachment"),
    path("jobs/<uuid:uid>/original", job.job_original, name="job-original"),
    path("jobs/<uuid:uid>/template", begin.job_template, name="job-template"),
    path("templates/", templates.template_list, name="templates"),
    path("templates/upload", template_changes.template_upload, name="template-upload"),
    path("templates/<uuid:uid>/", templates.template_page, name="template"),
    path("templates/<uuid:uid>/<int:number>.yaml", templates.template_yaml, name="template-yaml"),
    path("templates/<uuid:uid>/version", template_changes.version_upload, name="template-version"),
    path("templates/<uuid:uid>/change", template_changes.template_change, name="template-change"),
    path(
        "templates/<uuid:uid>/enabled", template_changes.template_enabled, name="template-enabled"
    ),
    path(
        "templates/<uuid:uid>/rollback",
        template_changes.template_rollback,
        name="template-rollback",
    ),
    path("templates/<uuid:uid>/clone", template_changes.template_clone, name="template-clone"),
    path("templates/<uuid:uid>/delete", template_changes.template_delete, name="template-delete"),
    path("templates/<uuid:uid>/replay", template_changes.template_replay, name="template-replay"),
    path("lookups/", lookups.lookup_list, name="lookups"),
    path("lookups/new", lookups.lookup_create, name="lookup-create"),
    path("lookups/<uuid:uid>/", lookups.lookup_page, name="lookup"),
    path("lookups/<uuid:uid>/<int:number>.csv", lookups.lookup_csv, name="lookup-csv"),
    path("lookups/<uuid:uid>/replace", lookups.lookup_replace, name="lookup-replace"),
    path("lookups/<uuid:uid>/row", lookups.lookup_row, name="lookup-row"),
    path("lookups/<uuid:uid>/row/remove", lookups.lookup_row_remove, name="lookup-row-remove"),
    path("lookups/<uuid:uid>/delete", lookups.lookup_delete, name="lookup-delete"),
    path("arrivals/", arrivals.arrival_list, name="arrivals"),
    path("arrivals/folders/", arrivals.sighting_list, name="sightings"),
    path(
        "arrivals/folders/<int:number>/template", begin.sighting_template, name="sighting-template"
    ),
    path("arrivals/<uuid:uid>/", arrivals.arrival_page, name="arrival"),
    path("arrivals/<uuid:uid>/template", begin.arrival_template, name="arrival-template"),
    path("imports/new/", choose.new, name="import-new"),
    path("imports/sample/<slug:feed>.csv", choose.sample, name="import-sample"),
    path("imports/new/<uuid:uid>/choose/", choose.choose, name="draft-choose"),
    path("imports/new/<uuid:uid>/settings/", settings.settings, name="draft-settings"),
    path("imports/new/<uuid:uid>/file/", file.file, name="draft-file"),
    path("imports/new/<uuid:uid>/file/upload", file.upload, name="draft-upload"),
    path("imports/new/<uuid:uid>/file/pick", file.pick, name="draft-pick"),
    path("imports/new/<uuid:uid>/file/fetched", file.fetched, name="draft-fetched"),
    path("imports/new/<uuid:uid>/file/sheet", file.sheet, name="draft-sheet"),
    path("imports/new/<uuid:uid>/map/", mapping.fields, name="draft-map"),
    path("imports/new/<uuid:uid>/map/<int:number>/", field.field, name="draft-field"),
    path("imports/new/<uuid:uid>/columns/", mapping.columns, name="draft-columns"),
    path("imports/new/<uuid:uid>/validate/", check.check, name="draft-check"),
    path("imports/new/<uuid:uid>/validate/run", check.validate, name="draft-validate"),
    path("imports/new/<uuid:uid>/finish/", check.finish, name="draft-finish"),
    path("imports/new/<uuid:uid>/finish/process", check.process, name="draft-process"),
    path("imports/new/<uuid:uid>/discard", choose.discard, name="draft-discard"),
]
