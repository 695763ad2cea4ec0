// The first byte says what the rest is: a whole file, a block of a small manifest, or a deflated
// stream, as few changes to a file get past its header and its markers.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flowkit/manifest.hpp"

namespace {

using flowkit::Array;
using flowkit::Status;

constexpr std::string_view schema = R"({"type":"record","name":"e","fields":[
  {"name":"status","type":"int","field-id":0},
  {"name":"data_file","field-id":2,"type":{"type":"record","name":"d","fields":[
    {"name":"file_path","type":["null","string"],"field-id":100},
    {"name":"partition","field-id":102,"type":{"type":"record","name":"p","fields":[
      {"name":"a","field-id":1000,"type":["null",
        {"type":"bytes","logicalType":"decimal","precision":9,"scale":2}]},
      {"name":"b","field-id":1001,"type":["double","null"]}]}},
    {"name":"x","type":{"type":"map","values":["null","long","string"]},"field-id":900},
    {"name":"lower_bounds","field-id":125,"type":{"type":"array","logicalType":"map","items":
      {"type":"record","name":"k","fields":[{"name":"key","type":"int","field-id":126},
        {"name":"value","type":"bytes","field-id":127}]}}},
    {"name":"split_offsets","type":["null",{"type":"array","items":"long"}],"field-id":132}]}}]})";

void put_number(std::string& out, std::size_t number) {
  number *= 2;
  for (; number > 127; number >>= 7U) {
    out.push_back(static_cast<char>((number & 127U) | 128U));
  }
  out.push_back(static_cast<char>(number));
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out += text;
}

std::string wrap(std::string_view block, std::size_t count, std::string_view codec) {
  std::string file("Obj\x01");
  put_number(file, 2);
  put_text(file, "avro.schema");
  put_text(file, schema);
  put_text(file, "avro.codec");
  put_text(file, codec);
  put_number(file, 0);
  const std::string sync(16, 'm');
  file += sync;
  put_number(file, count);
  put_text(file, block);
  return file + sync;
}

void read(std::string_view file) {
  // In memory of its own, so that a read beyond its end is noticed.
  const std::vector<char> copy(file.begin(), file.end());
  const auto bytes = std::as_bytes(std::span(copy));
  constexpr std::string_view some[] = {"partition", "file_path"};
  for (const auto columns :
       {std::span<const std::string_view>(), std::span<const std::string_view>(some)}) {
    Array out;
    const Status status = flowkit::read_manifest(bytes, columns, out);
    if (!status.ok() && (status.code() != Status::Code::invalid_data || out.length() != 0)) {
      std::abort();
    }
    if (status.ok()) {
      ArrowArray exported{};
      ArrowSchema exported_schema{};
      if (!out.export_array(&exported).ok() || !out.export_schema(&exported_schema).ok()) {
        std::abort();
      }
      exported.release(&exported);
      exported_schema.release(&exported_schema);
    }
  }
  Array out;
  const Status status = flowkit::read_manifest_list(bytes, {}, out);
  if (!status.ok() && status.code() != Status::Code::invalid_data) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view rest(reinterpret_cast<const char*>(input) + 1, size - 1);
  const std::size_t count = input[0] / 4U;
  switch (input[0] % 4U) {
    case 0:
      read(rest);
      break;
    case 1:
      read(wrap(rest, count, "null"));
      break;
    default:
      read(wrap(rest, count, "deflate"));
      break;
  }
  return 0;
}
