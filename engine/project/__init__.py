"""What lies in a project folder."""
