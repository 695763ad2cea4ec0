#include "avro_shapes.hpp"

#include <array>
#include <limits>
#include <utility>

#include "array_node.hpp"
#include "guarded.hpp"
#include "utf8.hpp"

namespace flowkit {
namespace {

using Kind = AvroType::Kind;
using Logical = AvroType::Logical;
using Made = std::unique_ptr<Builder>;

Made make_builder(Shape shape, const AvroType* type, std::string_view field);

/// The type of what is never read.
const AvroType nothing;

[[noreturn]] void refuse(std::string_view field) {
  throw InvalidData("field `" + std::string(front_of(field, 60)) +
                    "` has an Avro type that it cannot have");
}

/// Arrays. As a map, arrays of records of a key and a value: Avro's own maps have strings as keys.
class Lists final : public Builder {
 public:
  Lists(const AvroType* item_type, Made items, bool is_map)
      : items_(std::move(items)),
        step_(item_type == nullptr ? nothing : *item_type, items_.get()),
        is_map_(is_map) {}

  void read(AvroReader& reader) override {
    reader.items([&] {
      step_.read(reader);
      ++item_count_;
    });
    add(true);
  }
  void add_zero() override { add(true); }
  void add_null() override { add(false); }
  Array finish(const std::string& name, std::int64_t field_id) override {
    auto node = validity_.finish(is_map_ ? "+m" : "+l", name, field_id);
    node->buffers.emplace_back(std::move(offsets_));
    Array items = items_->finish(is_map_ ? "entries" : "element", -1);
    node->children = {is_map_ ? entries(items) : std::move(items)};
    return Array(std::move(node));
  }

 private:
  static Array required(const Array& array) {
    auto node = std::make_shared<ArrayNode>(array.node());
    require(node->null_count == 0, "an entry or a key of a map in the Avro data is null");
    node->flags = 0;
    return Array(std::move(node));
  }

  /// Returns the entries of a map, of which neither they nor their keys may be nullable.
  static Array entries(const Array& items) {
    auto node = std::make_shared<ArrayNode>(required(items).node());
    node->children[0] = required(node->children[0]);
    return Array(std::move(node));
  }

  void add(bool valid) {
    require(item_count_ <= std::numeric_limits<std::int32_t>::max(),
            "the lists of a field have over 2^31 items together");
    offsets_.push_back(static_cast<std::int32_t>(item_count_));
    validity_.add(valid);
  }

  Made items_;
  Step step_;
  bool is_map_;
  std::int64_t item_count_ = 0;
  Values<std::int32_t> offsets_{0};
  Validity validity_;
};

/// The values of a partition: a struct of all fields that the writer has.
class Partitions final : public Builder {
 public:
  explicit Partitions(const AvroType* type) {
    if (type == nullptr) {
      return;
    }
    for (const AvroType& part : type->parts) {
      Made builder = value_builder(Step::required_type(part), part.name);
      steps_.emplace_back(part, builder.get());
      if (builder != nullptr) {
        fields_.push_back({part.name, part.field_id, std::move(builder)});
      }
    }
  }

  void read(AvroReader& reader) override {
    for (const Step& step : steps_) {
      step.read(reader);
    }
    validity_.add(true);
  }
  void add_null() override {
    for (const Field& field : fields_) {
      field.builder->add_null();
    }
    validity_.add(false);
  }
  void add_zero() override { add_null(); }
  Array finish(const std::string& name, std::int64_t field_id) override {
    auto node = validity_.finish("+s", name, field_id);
    for (const Field& field : fields_) {
      node->children.push_back(field.builder->finish(field.name, field.field_id));
    }
    return Array(std::move(node));
  }

 private:
  struct Field {
    std::string name;
    std::int64_t field_id;
    Made builder;
  };

  static Made integer_builder(const AvroType& type) {
    switch (type.logical) {
      case Logical::date:
        return std::make_unique<Numbers<std::int32_t>>("tdD");
      case Logical::time_micros:
        return std::make_unique<Numbers<std::int64_t>>("ttu");
      case Logical::timestamp_micros:
        return std::make_unique<Numbers<std::int64_t>>(type.is_utc ? "tsu:UTC" : "tsu:");
      case Logical::timestamp_nanos:
        return std::make_unique<Numbers<std::int64_t>>(type.is_utc ? "tsn:UTC" : "tsn:");
      default:
        return type.is_long ? Made(std::make_unique<Numbers<std::int64_t>>("l"))
                            : Made(std::make_unique<Numbers<std::int32_t>>("i"));
    }
  }

  /// Returns a builder for a primitive type of Iceberg; null for the type of nothing but nulls.
  static Made value_builder(const AvroType& type, std::string_view field) {
    if (type.logical == Logical::decimal &&
        (type.kind == Kind::fixed || type.kind == Kind::bytes)) {
      require(type.precision >= 1 && type.precision <= 38 && type.scale >= 0 &&
                  type.scale <= type.precision,
              "a decimal of the Avro schema has a precision or scale out of range");
      return std::make_unique<FixedBytes>(
          "d:" + std::to_string(type.precision) + "," + std::to_string(type.scale), 16, type);
    }
    switch (type.kind) {
      case Kind::null:
        return nullptr;
      case Kind::boolean:
        return std::make_unique<Booleans>();
      case Kind::integer:
        return integer_builder(type);
      case Kind::float32:
        return std::make_unique<Numbers<float>>("f");
      case Kind::float64:
        return std::make_unique<Numbers<double>>("g");
      case Kind::bytes:
      case Kind::text:
        return std::make_unique<Strings>(type.kind == Kind::text);
      case Kind::fixed:
        return std::make_unique<FixedBytes>("w:" + std::to_string(type.size), type.size, type);
      default:
        refuse(field);
    }
  }

  std::vector<Field> fields_;
  std::vector<Step> steps_;
  Validity validity_;
};

constexpr std::array count_entries{Wanted{-2, "key", Shape::int32},
                                   Wanted{-2, "value", Shape::int64}};
constexpr std::array bound_entries{Wanted{-2, "key", Shape::int32},
                                   Wanted{-2, "value", Shape::binary}};
constexpr std::array summary_fields{
    Wanted{509, "contains_null", Shape::boolean}, Wanted{518, "contains_nan", Shape::boolean},
    Wanted{510, "lower_bound", Shape::binary}, Wanted{511, "upper_bound", Shape::binary}};

Made make_list(Shape shape, const AvroType* type, std::string_view field) {
  const AvroType* item = type == nullptr ? nullptr : type->parts.data();
  return std::make_unique<Lists>(
      item, make_builder(shape, item == nullptr ? nullptr : &Step::required_type(*item), field),
      false);
}

Made make_records_list(std::span<const Wanted> wanted, const AvroType* type, bool is_map) {
  const AvroType* item = type == nullptr ? nullptr : type->parts.data();
  return std::make_unique<Lists>(item, std::make_unique<Records>(item, wanted), is_map);
}

bool fits(Shape shape, const AvroType& type) noexcept {
  switch (shape) {
    case Shape::boolean:
      return type.kind == Kind::boolean;
    case Shape::int32:
    case Shape::int64:
      return type.kind == Kind::integer;
    case Shape::text:
      return type.kind == Kind::text;
    case Shape::binary:
      return type.kind == Kind::bytes;
    case Shape::int32_list:
    case Shape::int64_list:
      return type.kind == Kind::array;
    case Shape::counts:
    case Shape::bounds:
    case Shape::summaries:
      return type.kind == Kind::array && type.parts[0].kind == Kind::record;
    case Shape::partition:
      return type.kind == Kind::record;
  }
  return false;
}

/// Returns a builder for values of a type, or for no values ever if `type` is null.
Made make_builder(Shape shape, const AvroType* type, std::string_view field) {
  if (type != nullptr && !fits(shape, *type)) {
    refuse(field);
  }
  switch (shape) {
    case Shape::boolean:
      return std::make_unique<Booleans>();
    case Shape::int32:
      return std::make_unique<Numbers<std::int32_t>>("i");
    case Shape::int64:
      return std::make_unique<Numbers<std::int64_t>>("l");
    case Shape::text:
    case Shape::binary:
      return std::make_unique<Strings>(shape == Shape::text);
    case Shape::int32_list:
      return make_list(Shape::int32, type, field);
    case Shape::int64_list:
      return make_list(Shape::int64, type, field);
    case Shape::counts:
      return make_records_list(count_entries, type, true);
    case Shape::bounds:
      return make_records_list(bound_entries, type, true);
    case Shape::summaries:
      return make_records_list(summary_fields, type, false);
    case Shape::partition:
      return std::make_unique<Partitions>(type);
  }
  refuse(field);
}

/// The keys and values of maps have a pair of ids for each map, so they go by their names.
bool is_wanted(const AvroType& part, const Wanted& wanted) noexcept {
  return wanted.id >= 0 ? part.field_id == wanted.id : part.name == wanted.name;
}

}  // namespace

Records::Records(const AvroType* type, std::span<const Wanted> wanted, std::int64_t flattened)
    : wanted_(wanted.begin(), wanted.end()), builders_(wanted.size()) {
  if (type != nullptr) {
    steps_ = plan(*type, flattened);
  }
  for (std::size_t at = 0; at < wanted_.size(); ++at) {
    if (builders_[at] == nullptr) {
      builders_[at] = make_builder(wanted_[at].shape, nullptr, wanted_[at].name);
      missing_.push_back(at);
    }
  }
}

std::vector<Step> Records::plan(const AvroType& record, std::int64_t flattened) {
  std::vector<Step> steps;
  for (const AvroType& part : record.parts) {
    if (flattened >= 0 && part.field_id == flattened) {
      require(part.kind == Kind::record, "a record of the Avro schema is optional or no record");
      steps.emplace_back(part, plan(part, -1));
      continue;
    }
    Builder* builder = nullptr;
    for (std::size_t at = 0; at < wanted_.size(); ++at) {
      if (is_wanted(part, wanted_[at])) {
        require(builders_[at] == nullptr, "the Avro schema has a field twice");
        // An optional partition would be a null that costs as much as it has fields.
        const bool as_it_is = wanted_[at].shape == Shape::partition;
        builders_[at] = make_builder(
            wanted_[at].shape, as_it_is ? &part : &Step::required_type(part), wanted_[at].name);
        builder = builders_[at].get();
        break;
      }
    }
    steps.emplace_back(part, builder);
  }
  return steps;
}

void Records::read(AvroReader& reader) {
  for (const Step& step : steps_) {
    step.read(reader);
  }
  for (const std::size_t at : missing_) {
    if (wanted_[at].zero_if_missing) {
      builders_[at]->add_zero();
    } else {
      builders_[at]->add_null();
    }
  }
  validity_.add(true);
}

void Records::add_null() {
  for (const auto& builder : builders_) {
    builder->add_null();
  }
  validity_.add(false);
}

Array Records::finish(const std::string& name, std::int64_t field_id) {
  auto node = validity_.finish("+s", name, field_id);
  for (std::size_t at = 0; at < wanted_.size(); ++at) {
    node->children.push_back(builders_[at]->finish(std::string(wanted_[at].name), wanted_[at].id));
  }
  return Array(std::move(node));
}

}  // namespace flowkit
