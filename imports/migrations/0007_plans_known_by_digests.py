from django.db import migrations, models

# Jobs had their template's settings copied into them, where they hid those of a corrected version.
_OWN_ONLY = """
SELECT set_config('app.tenant', '*', true);
UPDATE imports_importjob j SET
  limits = (
    SELECT coalesce(jsonb_object_agg(l.key, l.value), '{}') FROM jsonb_each(j.limits) l
    WHERE l.value IS DISTINCT FROM v.spec -> 'settings' -> 'limits' -> l.key
  ),
  absent_scope = CASE
    WHEN j.absent_scope = v.spec -> 'settings' ->> 'absent_scope' THEN '' ELSE j.absent_scope
  END,
  limits_per = CASE
    WHEN j.limits_per = v.spec -> 'settings' -> 'limits_per' THEN NULL ELSE j.limits_per
  END
FROM imports_templateversion v
WHERE v.id = j.template_version_id AND jsonb_typeof(j.limits) = 'object'
  AND (j.limits <> '{}' OR j.absent_scope <> '' OR j.limits_per IS NOT NULL);
SELECT set_config('app.tenant', '', true);
"""


class Migration(migrations.Migration):
    dependencies = [("imports", "0006_corrections_and_replaced")]

    operations = [
        migrations.AddField(
            model_name="importjob", name="plan_digests", field=models.JSONField(null=True)
        ),
        migrations.RunSQL(_OWN_ONLY, migrations.RunSQL.noop),
    ]
