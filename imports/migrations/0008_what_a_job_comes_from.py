from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imports", "0007_plans_known_by_digests")]

    operations = [
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
