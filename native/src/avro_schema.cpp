#include "avro_schema.hpp"

#include <map>
#include <optional>
#include <utility>

#include "guarded.hpp"
#include "json.hpp"
#include "utf8.hpp"

namespace flowkit {
namespace {

using Kind = AvroType::Kind;
using Logical = AvroType::Logical;

/// A named type is copied where it is named, so few lines could make many types.
constexpr int most_types = 20000;
constexpr std::int64_t largest_fixed = 1 << 20;

std::optional<Kind> find_primitive(std::string_view name) {
  static constexpr std::pair<std::string_view, Kind> primitives[] = {
      {"null", Kind::null},    {"boolean", Kind::boolean}, {"int", Kind::integer},
      {"long", Kind::integer}, {"float", Kind::float32},   {"double", Kind::float64},
      {"bytes", Kind::bytes},  {"string", Kind::text}};
  for (const auto& [known, kind] : primitives) {
    if (name == known) {
      return kind;
    }
  }
  return {};
}

Logical find_logical(std::string_view name) {
  static constexpr std::pair<std::string_view, Logical> logicals[] = {
      {"date", Logical::date},
      {"time-micros", Logical::time_micros},
      {"timestamp-micros", Logical::timestamp_micros},
      {"timestamp-nanos", Logical::timestamp_nanos},
      {"decimal", Logical::decimal},
      {"uuid", Logical::uuid}};
  for (const auto& [known, logical] : logicals) {
    if (name == known) {
      return logical;
    }
  }
  return Logical::none;  // unknown ones are to be ignored
}

std::int64_t whole(const Json& json, std::string_view name, std::int64_t otherwise) {
  const Json* found = json.find(name);
  return found != nullptr && found->number ? *found->number : otherwise;
}

std::string text(const Json& json, std::string_view name) {
  const Json* found = json.find(name);
  return found == nullptr ? std::string() : found->text;
}

class SchemaParser {
 public:
  AvroType parse(const Json& json) {
    require(++count_ <= most_types, "the Avro schema has too many types");
    switch (json.kind) {
      case Json::Kind::text:
        return named(json.text);
      case Json::Kind::array: {
        AvroType type;
        type.kind = Kind::alternatives;
        for (const Json& item : json.items) {
          type.parts.push_back(parse(item));
        }
        require(!type.parts.empty(), "the Avro schema has a union of nothing");
        return type;
      }
      case Json::Kind::object:
        return described(json);
      default:
        throw InvalidData("the Avro schema is malformed");
    }
  }

 private:
  AvroType named(const std::string& name) {
    AvroType type;
    if (const auto primitive = find_primitive(name)) {
      type.kind = *primitive;
      type.is_long = name == "long";
      return type;
    }
    const auto found = known_.find(name);
    if (found == known_.end()) {
      throw InvalidData("the Avro schema names an unknown type `" +
                        std::string(front_of(name, 40)) + "`");
    }
    count_ += found->second.second;
    require(count_ <= most_types, "the Avro schema has too many types");
    return found->second.first;
  }

  AvroType described(const Json& json) {
    const Json* what = json.find("type");
    require(what != nullptr, "the Avro schema is malformed");
    if (what->kind != Json::Kind::text) {
      return parse(*what);  // {"type": {...}}
    }
    AvroType type;
    const int before = count_;
    if (what->text == "record") {
      type = record(json);
    } else if (what->text == "array" || what->text == "map") {
      type.kind = what->text == "array" ? Kind::array : Kind::map;
      const Json* part = json.find(type.kind == Kind::array ? "items" : "values");
      require(part != nullptr, "the Avro schema is malformed");
      type.parts.push_back(parse(*part));
    } else if (what->text == "fixed") {
      type.kind = Kind::fixed;
      type.size = whole(json, "size", 0);
      require(type.size >= 1 && type.size <= largest_fixed,
              "the Avro schema has a fixed type of a size out of range");
    } else if (what->text == "enum") {
      type.kind = Kind::enumeration;
      const Json* symbols = json.find("symbols");
      require(symbols != nullptr, "the Avro schema is malformed");
      type.size = std::ssize(symbols->items);
    } else {
      type = named(what->text);
    }
    type.logical = find_logical(text(json, "logicalType"));
    type.precision = whole(json, "precision", 0);
    type.scale = whole(json, "scale", 0);
    const Json* utc = json.find("adjust-to-utc");
    type.is_utc = utc != nullptr && utc->truth;
    if (const std::string name = text(json, "name"); !name.empty()) {
      known_.insert_or_assign(name, std::pair(type, count_ - before));
    }
    return type;
  }

  AvroType record(const Json& json) {
    const Json* fields = json.find("fields");
    require(fields != nullptr && fields->kind == Json::Kind::array, "the Avro schema is malformed");
    AvroType type;
    type.kind = Kind::record;
    for (const Json& field : fields->items) {
      const Json* of = field.find("type");
      require(of != nullptr, "the Avro schema is malformed");
      AvroType& part = type.parts.emplace_back(parse(*of));
      part.name = text(field, "iceberg-field-name");
      if (part.name.empty()) {
        part.name = text(field, "name");
      }
      part.field_id = whole(field, "field-id", -1);
    }
    return type;
  }

  std::map<std::string, std::pair<AvroType, int>> known_;
  int count_ = 0;
};

}  // namespace

AvroType parse_avro_schema(std::string_view json) { return SchemaParser().parse(parse_json(json)); }

}  // namespace flowkit
