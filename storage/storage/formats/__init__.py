"""How the admin shows values: settings.FORMAT_MODULE_PATH."""
