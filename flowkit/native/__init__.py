"""The typed front of the compiled core: buffers and Arrow data in, the same out.

The core (`native/`) has no dependency but the C++ standard library; this room is all of it that
Python code sees. `chunking`: content-defined chunks. `transforms`: Iceberg's partition transforms.
`partition`: rows sorted by their partition. `manifest`: Iceberg's metadata in Avro.
`similarity`: how alike pairs of strings are. `blocking`: which pairs to look at. `rows`: rows by
their numbers. `process`: what the kernel does for a process. `arguments`: numbers in their ranges.

Columns come from anything that speaks the Arrow PyCapsule protocol (pyarrow, Polars, pandas,
another result of this room), in one array or in many, without a copy. Results are an `Array`,
which speaks it too: `pyarrow.array(result)`. The GIL is released meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.native.arrow import Array, ArrowColumn, ArrowStream
    from flowkit.native.blocking import (
        PairBatches,
        key_blocks,
        minhash_lsh,
        sorted_neighbourhood,
    )
    from flowkit.native.chunking import chunk_boundaries
    from flowkit.native.manifest import read_manifest, read_manifest_list
    from flowkit.native.partition import partition_permutation
    from flowkit.native.process import die_with_parent
    from flowkit.native.rows import gather
    from flowkit.native.similarity import (
        damerau_levenshtein,
        jaro,
        jaro_winkler,
        levenshtein,
        ngram_cosine,
        token_set_jaccard,
    )
    from flowkit.native.transforms import bucket, day, hour, month, truncate, year

__all__ = [
    "Array",
    "ArrowColumn",
    "ArrowStream",
    "PairBatches",
    "bucket",
    "chunk_boundaries",
    "damerau_levenshtein",
    "day",
    "die_with_parent",
    "gather",
    "hour",
    "jaro",
    "jaro_winkler",
    "key_blocks",
    "levenshtein",
    "minhash_lsh",
    "month",
    "ngram_cosine",
    "partition_permutation",
    "read_manifest",
    "read_manifest_list",
    "sorted_neighbourhood",
    "token_set_jaccard",
    "truncate",
    "year",
]

__getattr__ = loads(
    "flowkit.native",
    {
        "flowkit.native.arrow": "Array ArrowColumn ArrowStream",
        "flowkit.native.blocking": "PairBatches key_blocks minhash_lsh sorted_neighbourhood",
        "flowkit.native.chunking": "chunk_boundaries",
        "flowkit.native.manifest": "read_manifest read_manifest_list",
        "flowkit.native.partition": "partition_permutation",
        "flowkit.native.process": "die_with_parent",
        "flowkit.native.rows": "gather",
        "flowkit.native.similarity": (
            "damerau_levenshtein jaro jaro_winkler levenshtein ngram_cosine token_set_jaccard"
        ),
        "flowkit.native.transforms": "bucket day hour month truncate year",
    },
)
