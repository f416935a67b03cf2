"""One module per export format, each with a function `encode` and a class `Writer`.

Process: `encode` runs in the processes of a pool, `Writer` in the process that exports.
May import: `engine.datasets.exports.shard_captions` and `image_files`, `engine.images`,
`engine.utils`, `db.rows`; pyarrow only when it writes.
Must never: import each other. What several formats share is in `base`, `row_choice` (which captions
a format gets), `caption_pairs`, `csv_bytes`, `array_file`, `conversation`, `arrow_columns`,
`image_placing`; `tar_packing` and `dataset_card` are parts of one.
"""
