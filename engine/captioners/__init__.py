"""The models that caption, one file per family. `registry` names them without importing torch."""
