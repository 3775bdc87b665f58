"""Jobs of before get their source, so that a mirror knows what it has brought so far.

A corrected file's job says in its timeline only what it corrects; without a folder it counts for
its feed, which no mirror of a folder or a template removes unasked. Jobs of the wizard count for
the template that their draft was saved as.
"""

from django.db import migrations

_TELL = """
UPDATE imports_importjob j SET source = CASE
  WHEN j.template_version_id IS NOT NULL THEN 'template:' || (
    SELECT template_id FROM imports_templateversion v WHERE v.id = j.template_version_id)
  WHEN d.template_id IS NOT NULL THEN 'template:' || d.template_id
  WHEN a.drop_id IS NOT NULL THEN 'drop:' || a.drop_id
  ELSE 'feed:' || j.feed END
FROM imports_importjob k
LEFT JOIN imports_arrivalfile f ON f.id = k.arrival_file_id
LEFT JOIN imports_arrival a ON a.id = f.arrival_id
LEFT JOIN LATERAL (
  SELECT template_id FROM imports_importdraft
  WHERE job_id = k.id AND template_id IS NOT NULL LIMIT 1) d ON true
WHERE k.id = j.id AND j.source = ''
"""


class Migration(migrations.Migration):
    dependencies = [("imports", "0008_what_a_job_comes_from")]

    operations = [
        migrations.RunSQL("SELECT set_config('app.tenant', '*', true)", migrations.RunSQL.noop),
        migrations.RunSQL(_TELL, migrations.RunSQL.noop),
    ]
