"""Room on each page of the record store, so that a nightly change needs no new index entries."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("portal", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE portal_record SET (fillfactor = 90)",
            "ALTER TABLE portal_record RESET (fillfactor)",
        )
    ]
