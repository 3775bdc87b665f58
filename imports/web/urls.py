"""Addresses of the import pages."""

from django.urls import path

from imports.web import arrivals, job, jobs
from imports.web.wizard import check, choose, field, file, mapping, settings

urlpatterns = [
    path("jobs/", jobs.job_list, name="jobs"),
    path("jobs.csv", jobs.job_csv, name="jobs-csv"),
    path("jobs/number/<int:number>/", job.job_by_number, name="job-by-number"),
    path("jobs/<uuid:uid>/", job.job_page, name="job"),
    path("jobs/<uuid:uid>/release", job.job_release, name="job-release"),
    path("jobs/<uuid:uid>/discard", job.job_discard, name="job-discard"),
    path("jobs/<uuid:uid>/retry", job.job_retry, name="job-retry"),
    path("jobs/<uuid:uid>/errors", job.job_attachment, name="job-attachment"),
    path("jobs/<uuid:uid>/original", job.job_original, name="job-original"),
    path("arrivals/", arrivals.arrival_list, name="arrivals"),
    path("arrivals/folders/", arrivals.sighting_list, name="sightings"),
    path("arrivals/<uuid:uid>/", arrivals.arrival_page, name="arrival"),
    path("imports/new/", choose.new, name="import-new"),
    path("imports/sample/<slug:feed>.csv", choose.sample, name="import-sample"),
    path("imports/new/<uuid:uid>/choose/", choose.choose, name="draft-choose"),
    path("imports/new/<uuid:uid>/settings/", settings.settings, name="draft-settings"),
    path("imports/new/<uuid:uid>/file/", file.file, name="draft-file"),
    path("imports/new/<uuid:uid>/file/upload", file.upload, name="draft-upload"),
    path("imports/new/<uuid:uid>/file/pick", file.pick, name="draft-pick"),
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
