"""Lists all bad inputs."""

import bad_archives
import bad_benchmarks
import bad_checkpoints
import bad_films
import bad_raw_data
import bad_settings
import bad_shards

BAD_INPUTS = [
    *bad_checkpoints.ROWS,
    *bad_raw_data.ROWS,
    *bad_films.ROWS,
    *bad_archives.ROWS,
    *bad_shards.ROWS,
    *bad_settings.ROWS,
    *bad_benchmarks.ROWS,
]
