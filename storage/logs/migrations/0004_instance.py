from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('logs', '0003_edition'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='logrecord',
            index=models.Index(fields=['instance', 'timestamp'], name='log_instance'),
        ),
    ]
