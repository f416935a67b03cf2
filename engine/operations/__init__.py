"""What the command line and the application do with a project."""
