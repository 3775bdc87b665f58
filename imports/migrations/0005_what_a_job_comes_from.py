import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imports", "0004_drafts_note_the_version_they_saved")]

    operations = [
        migrations.AddField(
            model_name="importjob",
            name="corrects",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="corrections",
                to="imports.importjob",
            ),
        ),
        migrations.AddField(
            model_name="importjob",
            name="source",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name="importjob",
            name="waits_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
