#include "flowkit/array.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "array_node.hpp"
#include "guarded.hpp"

namespace flowkit {
namespace {

/// What an exported struct owns. The children are owned each for itself, as consumers may move
/// them out; `release` is null in those that were.
template <typename T>
struct Exported {
  Array array;  // keeps the strings and buffers that are pointed to
  std::vector<const void*> buffers;
  std::vector<T> children;
  std::vector<T*> child_pointers;

  Exported(Array exported, std::size_t child_count)
      : array(std::move(exported)), children(child_count) {
    for (T& child : children) {
      child_pointers.push_back(&child);
    }
  }
  Exported(const Exported&) = delete;
  Exported& operator=(const Exported&) = delete;
  ~Exported() {
    for (T& child : children) {
      if (child.release != nullptr) {
        child.release(&child);
      }
    }
  }
};

template <typename T>
void release(T* exported) noexcept {
  const std::unique_ptr<Exported<T>> owned(static_cast<Exported<T>*>(exported->private_data));
  exported->release = nullptr;
}

void fill_schema(const Array& array, ArrowSchema* out) {
  const ArrayNode& node = array.node();
  auto owned = std::make_unique<Exported<ArrowSchema>>(array, node.children.size());
  for (std::size_t at = 0; at < node.children.size(); ++at) {
    fill_schema(node.children[at], &owned->children[at]);
  }
  ArrowSchema made{};
  made.format = node.format.c_str();
  made.name = node.name.c_str();
  made.metadata = node.metadata.empty() ? nullptr : node.metadata.data();
  made.flags = node.flags;
  made.n_children = static_cast<std::int64_t>(node.children.size());
  made.children = owned->child_pointers.data();
  made.release = &release<ArrowSchema>;
  made.private_data = owned.release();
  *out = made;
}

void fill_array(const Array& array, ArrowArray* out) {
  const ArrayNode& node = array.node();
  auto owned = std::make_unique<Exported<ArrowArray>>(array, node.children.size());
  for (std::size_t at = 0; at < node.children.size(); ++at) {
    fill_array(node.children[at], &owned->children[at]);
  }
  for (const Buffer& buffer : node.buffers) {
    owned->buffers.push_back(buffer.data());
  }
  ArrowArray made{};
  made.length = node.length;
  made.null_count = node.null_count;
  made.n_buffers = static_cast<std::int64_t>(node.buffers.size());
  made.n_children = static_cast<std::int64_t>(node.children.size());
  made.buffers = owned->buffers.data();
  made.children = owned->child_pointers.data();
  made.release = &release<ArrowArray>;
  made.private_data = owned.release();
  *out = made;
}

template <typename T>
Status exported(const std::shared_ptr<const ArrayNode>& node, T* out,
                void (*fill)(const Array&, T*)) noexcept {
  return guarded([&]() -> Status {
    if (node == nullptr) {
      return {Status::Code::invalid_data, "an array without a type cannot be exported"};
    }
    fill(Array(node), out);
    return {};
  });
}

}  // namespace

std::int64_t Array::length() const noexcept { return node_ == nullptr ? 0 : node_->length; }

Status Array::export_schema(ArrowSchema* out) const noexcept {
  return exported(node_, out, &fill_schema);
}

Status Array::export_array(ArrowArray* out) const noexcept {
  return exported(node_, out, &fill_array);
}

}  // namespace flowkit
