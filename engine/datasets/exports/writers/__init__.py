"""One module per export format, each with a function `encode` and a class `Writer`.

Process: `encode` runs in the processes of a pool, `Writer` in the process that exports.
May import: `engine.datasets.exports.shard_captions`, `engine.images`, `engine.utils`, `db.rows`;
pyarrow only when it writes.
Must never: import each other. Parts of several formats are in `base`, `caption_pairs`, `csv_bytes`
and `array_file`.
"""
