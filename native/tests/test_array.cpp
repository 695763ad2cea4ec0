// Results are exported as the C data interface wants them.

#include <memory>
#include <string_view>
#include <utility>

#include "array_node.hpp"
#include "arrays.hpp"
#include "check.hpp"

using flowkit::Array;
using flowkit::ArrayNode;
using flowkit::make_array;
using flowkit::Owned;
using flowkit::Values;

namespace {

Array a_pair() {
  auto node = std::make_shared<ArrayNode>();
  node->format = "+s";
  node->length = 2;
  node->buffers = {{}};
  node->children = {make_array("i", 2, Values<std::int32_t>{1, 2}),
                    make_array("l", 2, Values<std::int64_t>{3, 4})};
  return Array(std::move(node));
}

void an_export_outlives_the_array() {
  Owned<ArrowSchema> schema;
  Owned<ArrowArray> values;
  {
    const Array array = a_pair();
    CHECK(array.export_schema(schema.get()).ok() && array.export_array(values.get()).ok());
  }
  CHECK(std::string_view(schema->format) == "+s" && schema->n_children == 2);
  CHECK(std::string_view(schema->children[1]->format) == "l");
  CHECK(static_cast<const std::int64_t*>(values->children[1]->buffers[1])[1] == 4);
}

void a_child_may_be_moved_out() {
  Owned<ArrowArray> child;
  {
    Owned<ArrowArray> values;
    CHECK(a_pair().export_array(values.get()).ok());
    child = Owned<ArrowArray>(values->children[0]);
  }
  CHECK(static_cast<const std::int32_t*>(child->buffers[1])[1] == 2);
}

void moving_empties_the_source() {
  Owned<ArrowArray> first;
  CHECK(a_pair().export_array(first.get()).ok());
  Owned<ArrowArray> second(std::move(first));
  CHECK(first->release == nullptr &&
        second->release != nullptr);  // NOLINT(bugprone-use-after-move)
  ArrowArray taken{};
  second.move_to(&taken);
  CHECK(second->release == nullptr);
  taken.release(&taken);
  CHECK(taken.release == nullptr);
}

void an_array_of_no_type_cannot_be_exported() {
  ArrowSchema schema{};
  ArrowArray values{};
  CHECK(!Array().export_schema(&schema).ok() && schema.release == nullptr);
  CHECK(!Array().export_array(&values).ok() && values.release == nullptr);
}

}  // namespace

int main() {
  an_export_outlives_the_array();
  a_child_may_be_moved_out();
  moving_empties_the_source();
  an_array_of_no_type_cannot_be_exported();
}
