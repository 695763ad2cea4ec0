/* The header is plain C99, and the library says what went wrong. */

#include <flowkit/flowkit.h>
#include <string.h>

int main(void) {
  struct ArrowSchema schema;
  struct ArrowArray array;
  struct ArrowArrayStream stream;
  flowkit_message why;
  memset(&schema, 0, sizeof(schema));
  memset(&array, 0, sizeof(array));
  memset(&stream, 0, sizeof(stream));
  if (strcmp(flowkit_version(), "") == 0) {
    return 1;
  }
  if (flowkit_chunk_boundaries("flow", 4, 64, 64, 64, &schema, &array, &why) != FLOWKIT_OK ||
      array.length != 1 || ((const int64_t*)array.buffers[1])[0] != 4 || why.text[0] != '\0') {
    return 2;
  }
  schema.release(&schema);
  array.release(&array);
  if (flowkit_key_blocks(NULL, NULL, 1, &stream, &why) != FLOWKIT_INVALID_DATA ||
      why.text[0] == '\0' || stream.release != NULL) {
    return 3;
  }
  return 0;
}
