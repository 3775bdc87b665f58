from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imports', '0003_arrival_files_reported_state'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='importdraft',
            name='draft_wanting',
        ),
        migrations.RenameField(
            model_name='importdraft',
            old_name='wanted',
            new_name='requested',
        ),
        migrations.AddIndex(
            model_name='importdraft',
            index=models.Index(condition=models.Q(('requested__isnull', False)), fields=['tenant'], name='draft_requesting'),
        ),
        migrations.AddField(
            model_name='importdraft',
            name='template_version',
            field=models.IntegerField(default=0),
        ),
    ]
