from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imports", "0002_drafts_want_files")]

    operations = [
        migrations.RenameField(
            model_name="arrivalfile", old_name="told", new_name="reported_state"
        ),
        migrations.AlterField(
            model_name="arrival",
            name="state",
            field=models.CharField(
                choices=[
                    ("collecting", "Being collected"),
                    ("processing", "Files are being imported"),
                    ("done", "Done"),
                    ("invalid_files", "Some references are invalid"),
                    ("invalid_schema", "The manifest is not valid"),
                    ("config_missing", "Configuration missing"),
                    ("unmatched", "No matching template"),
                ],
                default="collecting",
                max_length=20,
            ),
        ),
    ]
