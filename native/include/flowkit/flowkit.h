/* flowkit's kernels for C, and for whatever can call C: columns come in and arrays go out as
 * structs of the Arrow C data interface.
 *
 * Each function returns a flowkit_code, and fills in its results only if that is FLOWKIT_OK. What
 * comes in is borrowed for the call; who called releases what came out. `message` may be null.
 * Functions may be called from many threads at once. `threads`, at least 1, is how many may work on
 * the call, the caller's among them. The C++ headers beside this one say more on each kernel. */

#ifndef FLOWKIT_FLOWKIT_H
#define FLOWKIT_FLOWKIT_H

#include <stddef.h>
#include <stdint.h>

#include "flowkit/arrow_c.h"

#if defined(__GNUC__)
#define FLOWKIT_EXPORT __attribute__((visibility("default")))
#else
#define FLOWKIT_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* How a call ended. */
typedef enum flowkit_code {
  FLOWKIT_OK = 0,
  FLOWKIT_INVALID_DATA = 1,  /* the caller's arguments or bytes are at fault */
  FLOWKIT_OUT_OF_MEMORY = 2, /* an allocation failed; nothing was changed */
  FLOWKIT_BUG = 3            /* the library is at fault */
} flowkit_code;

/* Why it ended so, in UTF-8 with a null at the end; empty after FLOWKIT_OK. */
typedef struct flowkit_message {
  char text[168];
} flowkit_message;

/* A column: `count` arrays of one type, one after the other. */
typedef struct flowkit_column {
  const struct ArrowSchema* schema;
  const struct ArrowArray* const* arrays;
  int64_t count;
} flowkit_column;

/* Pairs of rows of two columns of strings: pair p is row `left_index[p]` of `left` and row
 * `right_index[p]` of `right`. */
typedef struct flowkit_pairs {
  flowkit_column left;
  flowkit_column right;
  flowkit_column left_index;
  flowkit_column right_index;
} flowkit_pairs;

/* The version of the library, such as "1.2.3". */
FLOWKIT_EXPORT const char* flowkit_version(void);

/* Iceberg's partition transforms (flowkit/transforms.hpp). */

FLOWKIT_EXPORT flowkit_code flowkit_bucket(const flowkit_column* values, int32_t count, int threads,
                                           struct ArrowSchema* out_schema,
                                           struct ArrowArray* out_array, flowkit_message* message);
FLOWKIT_EXPORT flowkit_code flowkit_truncate(const flowkit_column* values, int32_t width,
                                             int threads, struct ArrowSchema* out_schema,
                                             struct ArrowArray* out_array,
                                             flowkit_message* message);
FLOWKIT_EXPORT flowkit_code flowkit_year(const flowkit_column* values, int threads,
                                         struct ArrowSchema* out_schema,
                                         struct ArrowArray* out_array, flowkit_message* message);
FLOWKIT_EXPORT flowkit_code flowkit_month(const flowkit_column* values, int threads,
                                          struct ArrowSchema* out_schema,
                                          struct ArrowArray* out_array, flowkit_message* message);
FLOWKIT_EXPORT flowkit_code flowkit_day(const flowkit_column* values, int threads,
                                        struct ArrowSchema* out_schema,
                                        struct ArrowArray* out_array, flowkit_message* message);
FLOWKIT_EXPORT flowkit_code flowkit_hour(const flowkit_column* values, int threads,
                                         struct ArrowSchema* out_schema,
                                         struct ArrowArray* out_array, flowkit_message* message);

/* Rows sorted by their partition (flowkit/partition.hpp). */
FLOWKIT_EXPORT flowkit_code flowkit_partition_permutation(
    const flowkit_column* codes, int64_t count, int threads, struct ArrowSchema* permutation_schema,
    struct ArrowArray* permutation, struct ArrowSchema* offsets_schema, struct ArrowArray* offsets,
    flowkit_message* message);

/* Rows by their numbers (flowkit/gather.hpp). */
FLOWKIT_EXPORT flowkit_code flowkit_gather(const flowkit_column* values,
                                           const flowkit_column* indices, int threads,
                                           struct ArrowSchema* out_schema,
                                           struct ArrowArray* out_array, flowkit_message* message);

/* How alike pairs of strings are (flowkit/similarity.hpp). `normalised` is 0 for a number of edits
 * and 1 for a similarity. */

FLOWKIT_EXPORT flowkit_code flowkit_jaro(const flowkit_pairs* pairs, int threads,
                                         struct ArrowSchema* out_schema,
                                         struct ArrowArray* out_array, flowkit_message* message);
FLOWKIT_EXPORT flowkit_code flowkit_jaro_winkler(const flowkit_pairs* pairs, int threads,
                                                 struct ArrowSchema* out_schema,
                                                 struct ArrowArray* out_array,
                                                 flowkit_message* message);
FLOWKIT_EXPORT flowkit_code flowkit_levenshtein(const flowkit_pairs* pairs, int normalised,
                                                int threads, struct ArrowSchema* out_schema,
                                                struct ArrowArray* out_array,
                                                flowkit_message* message);
FLOWKIT_EXPORT flowkit_code flowkit_damerau_levenshtein(const flowkit_pairs* pairs, int normalised,
                                                        int threads, struct ArrowSchema* out_schema,
                                                        struct ArrowArray* out_array,
                                                        flowkit_message* message);
FLOWKIT_EXPORT flowkit_code flowkit_token_set_jaccard(const flowkit_pairs* pairs, int threads,
                                                      struct ArrowSchema* out_schema,
                                                      struct ArrowArray* out_array,
                                                      flowkit_message* message);
FLOWKIT_EXPORT flowkit_code flowkit_ngram_cosine(const flowkit_pairs* pairs, int32_t n, int threads,
                                                 struct ArrowSchema* out_schema,
                                                 struct ArrowArray* out_array,
                                                 flowkit_message* message);

/* Which pairs to look at (flowkit/blocking.hpp), as a stream of batches of at most `batch_rows`
 * structs of `left_index` and `right_index` (int32). `right` may be null: then pairs are of two
 * rows of `left`. The columns are no longer needed once the call has returned. */

FLOWKIT_EXPORT flowkit_code flowkit_key_blocks(const flowkit_column* left,
                                               const flowkit_column* right, int64_t batch_rows,
                                               struct ArrowArrayStream* out,
                                               flowkit_message* message);
FLOWKIT_EXPORT flowkit_code flowkit_sorted_neighbourhood(const flowkit_column* left,
                                                         const flowkit_column* right,
                                                         int64_t window, int64_t batch_rows,
                                                         struct ArrowArrayStream* out,
                                                         flowkit_message* message);

/* Of signatures of strings: see flowkit::MinHash. */
typedef struct flowkit_minhash {
  int32_t ngram;
  int32_t bands;
  int32_t rows;
  uint64_t seed;
} flowkit_minhash;

FLOWKIT_EXPORT flowkit_code flowkit_minhash_lsh(const flowkit_column* left,
                                                const flowkit_column* right,
                                                const flowkit_minhash* minhash, int64_t batch_rows,
                                                int threads, struct ArrowArrayStream* out,
                                                flowkit_message* message);

/* Iceberg's metadata in Avro (flowkit/manifest.hpp). `columns` are names with a null at the end; a
 * `column_count` of 0 means all columns. */

FLOWKIT_EXPORT flowkit_code flowkit_read_manifest(const void* file, size_t size_bytes,
                                                  const char* const* columns, int64_t column_count,
                                                  struct ArrowSchema* out_schema,
                                                  struct ArrowArray* out_array,
                                                  flowkit_message* message);
FLOWKIT_EXPORT flowkit_code flowkit_read_manifest_list(
    const void* file, size_t size_bytes, const char* const* columns, int64_t column_count,
    struct ArrowSchema* out_schema, struct ArrowArray* out_array, flowkit_message* message);

/* Content-defined chunks (flowkit/chunking.hpp): the end of each, in bytes, as int64. */
FLOWKIT_EXPORT flowkit_code flowkit_chunk_boundaries(
    const void* data, size_t size_bytes, int64_t min_size, int64_t average_size, int64_t max_size,
    struct ArrowSchema* out_schema, struct ArrowArray* out_array, flowkit_message* message);

#ifdef __cplusplus
}
#endif

#endif /* FLOWKIT_FLOWKIT_H */
