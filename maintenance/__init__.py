"""The application: every table, every side effect."""
