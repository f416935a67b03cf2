"""What people ask of a project, carried out on its state."""
