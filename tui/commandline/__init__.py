"""The commands, by theme. Thin: parse, call `engine` or `db`, print; torch and Textual late."""
