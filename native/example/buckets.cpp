// The C++ interface: as in docs/native.md, "From C++".

#include <flowkit/owned.hpp>
#include <flowkit/transforms.hpp>

#include <cstdint>

flowkit::Status buckets_of(const ArrowSchema& schema, const ArrowArray& values, ArrowArray* out) {
  const ArrowArray* arrays[] = {&values};
  flowkit::Array result;
  flowkit::Status status = flowkit::bucket({&schema, arrays, 1}, 16, /*threads=*/1, result);
  return status.ok() ? result.export_array(out) : status;
}

int main() {
  const std::int64_t number = 34;
  const void* buffers[] = {nullptr, &number};
  const ArrowSchema schema{.format = "l",
                           .release = [](ArrowSchema* done) { done->release = nullptr; }};
  const ArrowArray values{
      .length = 1, .n_buffers = 2, .buffers = buffers, .release = [](ArrowArray* done) {
        done->release = nullptr;
      }};
  flowkit::Owned<ArrowArray> out;
  const flowkit::Status status = buckets_of(schema, values, out.get());
  // Iceberg's specification, appendix B: the hash of 34 is 2017239379.
  return status.ok() && static_cast<const std::int32_t*>(out->buffers[1])[0] == 2017239379 % 16 ? 0
                                                                                                : 1;
}
