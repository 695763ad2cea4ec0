from collections.abc import Iterator

from typing_extensions import Buffer

from flowkit.native.arrow import ArrowColumn

class Array:
    """An immutable array that the core made; it speaks the Arrow PyCapsule protocol."""

    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_array__(
        self, requested_schema: object | None = None
    ) -> tuple[object, object]: ...

class PairBatches:
    """Pairs of rows, made batch by batch each time it is gone through.

    Iteration gives `(left_index, right_index)`, arrays of int32; `__arrow_c_stream__` gives structs
    of the same.
    """

    def __iter__(self) -> Iterator[tuple[Array, Array]]: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

def chunk_boundaries(buffer: Buffer, min_size: int, average_size: int, max_size: int) -> bytes: ...
def die_with_parent() -> None: ...
def bucket(values: ArrowColumn, count: int, threads: int) -> Array: ...
def truncate(values: ArrowColumn, width: int, threads: int) -> Array: ...
def year(values: ArrowColumn, threads: int) -> Array: ...
def month(values: ArrowColumn, threads: int) -> Array: ...
def day(values: ArrowColumn, threads: int) -> Array: ...
def hour(values: ArrowColumn, threads: int) -> Array: ...
def partition_permutation(codes: ArrowColumn, count: int, threads: int) -> tuple[Array, Array]: ...
def read_manifest(file: Buffer, columns: tuple[str, ...]) -> Array: ...
def read_manifest_list(file: Buffer, columns: tuple[str, ...]) -> Array: ...
def jaro(
    left: ArrowColumn,
    right: ArrowColumn,
    left_index: ArrowColumn,
    right_index: ArrowColumn,
    threads: int,
) -> Array: ...
def jaro_winkler(
    left: ArrowColumn,
    right: ArrowColumn,
    left_index: ArrowColumn,
    right_index: ArrowColumn,
    threads: int,
) -> Array: ...
def levenshtein(
    left: ArrowColumn,
    right: ArrowColumn,
    left_index: ArrowColumn,
    right_index: ArrowColumn,
    normalised: bool,
    threads: int,
) -> Array: ...
def damerau_levenshtein(
    left: ArrowColumn,
    right: ArrowColumn,
    left_index: ArrowColumn,
    right_index: ArrowColumn,
    normalised: bool,
    threads: int,
) -> Array: ...
def token_set_jaccard(
    left: ArrowColumn,
    right: ArrowColumn,
    left_index: ArrowColumn,
    right_index: ArrowColumn,
    threads: int,
) -> Array: ...
def ngram_cosine(
    left: ArrowColumn,
    right: ArrowColumn,
    left_index: ArrowColumn,
    right_index: ArrowColumn,
    n: int,
    threads: int,
) -> Array: ...
def gather(values: ArrowColumn, indices: ArrowColumn, threads: int) -> Array: ...
def key_blocks(left: ArrowColumn, right: ArrowColumn | None, batch_rows: int) -> PairBatches: ...
def sorted_neighbourhood(
    left: ArrowColumn, right: ArrowColumn | None, window: int, batch_rows: int
) -> PairBatches: ...
def minhash_lsh(
    left: ArrowColumn,
    right: ArrowColumn | None,
    ngram: int,
    bands: int,
    rows: int,
    seed: int,
    batch_rows: int,
    threads: int,
) -> PairBatches: ...
