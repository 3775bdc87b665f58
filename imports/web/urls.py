"""Addresses of the import pages."""

from django.urls import path

from imports.web import arrivals, job, jobs

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
]
