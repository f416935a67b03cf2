"""A project in memory and the moves it may make."""
