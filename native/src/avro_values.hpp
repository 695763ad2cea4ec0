#pragma once

// Builders of values that have no parts.

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "array_node.hpp"
#include "avro_builder.hpp"
#include "utf8.hpp"

namespace flowkit {

/// Returns metadata with one key, as the C data interface wants it.
inline std::string encode_field_id(std::int64_t field_id) {
  if (field_id < 0) {
    return {};
  }
  constexpr std::string_view key = "PARQUET:field_id";  // where other readers look for it
  const std::string value = std::to_string(field_id);
  std::string encoded;
  const auto put = [&](std::size_t number) {
    const auto word = static_cast<std::int32_t>(number);
    encoded.append(reinterpret_cast<const char*>(&word), sizeof(word));
  };
  put(1);
  put(key.size());
  encoded += key;
  put(value.size());
  encoded += value;
  return encoded;
}

/// Which values are null; costs nothing until one is.
class Validity {
 public:
  void add(bool valid) {
    if (!valid && valid_.empty()) {
      valid_.resize(static_cast<std::size_t>(length_), 1);
    }
    ++length_;
    if (!valid) {
      ++null_count_;
    }
    if (null_count_ != 0) {
      valid_.push_back(static_cast<std::uint8_t>(valid));
    }
  }

  /// Makes the node of an array of these values, with the bitmap as its only buffer yet.
  std::shared_ptr<ArrayNode> finish(std::string format, const std::string& name,
                                    std::int64_t field_id) const {
    auto node = std::make_shared<ArrayNode>();
    node->format = std::move(format);
    node->name = name;
    node->metadata = encode_field_id(field_id);
    node->length = length_;
    node->null_count = null_count_;
    Buffer bitmap;
    if (null_count_ != 0) {
      Values<std::uint8_t> bits((valid_.size() + 7) / 8, std::uint8_t{0});
      for (std::size_t at = 0; at < valid_.size(); ++at) {
        bits[at / 8] |= static_cast<std::uint8_t>(valid_[at] << (at % 8));
      }
      bitmap = Buffer(std::move(bits));
    }
    node->buffers = {std::move(bitmap)};
    return node;
  }

 private:
  std::vector<std::uint8_t> valid_;
  std::int64_t length_ = 0;
  std::int64_t null_count_ = 0;
};

template <typename T>
class Numbers final : public Builder {
 public:
  explicit Numbers(std::string format) : format_(std::move(format)) {}

  void read(AvroReader& reader) override {
    if constexpr (std::is_floating_point_v<T>) {
      add(reader.floating<T>());
    } else {
      const std::int64_t number = reader.integer();
      require(number >= std::numeric_limits<T>::min() && number <= std::numeric_limits<T>::max(),
              "an Avro number is out of the range of its field");
      add(static_cast<T>(number));
    }
  }
  void add_zero() override { add(T{0}); }
  void add_null() override {
    values_.push_back(T{0});
    validity_.add(false);
  }
  Array finish(const std::string& name, std::int64_t field_id) override {
    auto node = validity_.finish(format_, name, field_id);
    node->buffers.emplace_back(std::move(values_));
    return Array(std::move(node));
  }

 private:
  void add(T value) {
    values_.push_back(value);
    validity_.add(true);
  }

  std::string format_;
  Values<T> values_;
  Validity validity_;
};

class Booleans final : public Builder {
 public:
  void read(AvroReader& reader) override { add(reader.boolean()); }
  void add_zero() override { add(false); }
  void add_null() override { add(false, false); }
  Array finish(const std::string& name, std::int64_t field_id) override {
    auto node = validity_.finish("b", name, field_id);
    node->buffers.emplace_back(std::move(bits_));
    return Array(std::move(node));
  }

 private:
  void add(bool value, bool valid = true) {
    if (length_ % 8 == 0) {
      bits_.push_back(0);
    }
    bits_.back() |= static_cast<std::uint8_t>(static_cast<unsigned>(value) << (length_ % 8));
    ++length_;
    validity_.add(valid);
  }

  Values<std::uint8_t> bits_;
  std::size_t length_ = 0;
  Validity validity_;
};

class Strings final : public Builder {
 public:
  explicit Strings(bool is_text) : is_text_(is_text) {}

  void read(AvroReader& reader) override {
    const std::string_view bytes = reader.bytes();
    require(!is_text_ || is_utf8(bytes), "an Avro string is not UTF-8");
    data_.insert(data_.end(), bytes.begin(), bytes.end());
    add(true);
  }
  void add_zero() override { add(true); }
  void add_null() override { add(false); }
  Array finish(const std::string& name, std::int64_t field_id) override {
    auto node = validity_.finish(is_text_ ? "u" : "z", name, field_id);
    node->buffers.emplace_back(std::move(offsets_));
    node->buffers.emplace_back(std::move(data_));
    return Array(std::move(node));
  }

 private:
  void add(bool valid) {
    require(data_.size() <= std::numeric_limits<std::int32_t>::max(),
            "the strings of a field are over 2 GiB together");
    offsets_.push_back(static_cast<std::int32_t>(data_.size()));
    validity_.add(valid);
  }

  bool is_text_;
  Values<std::int32_t> offsets_{0};
  Values<char> data_;
  Validity validity_;
};

/// Values of a fixed size; a decimal is turned into the 16 bytes, little end first, of Arrow.
class FixedBytes final : public Builder {
 public:
  FixedBytes(std::string format, std::int64_t size, const AvroType& type)
      : format_(std::move(format)),
        size_(static_cast<std::size_t>(size)),
        is_decimal_(type.logical == AvroType::Logical::decimal),
        has_length_(type.kind == AvroType::Kind::bytes),
        written_size_(static_cast<std::size_t>(type.size)) {}

  void read(AvroReader& reader) override {
    std::string_view bytes;
    if (has_length_) {
      bytes = reader.bytes();
    } else {
      const auto taken = reader.take(written_size_);
      bytes = {reinterpret_cast<const char*>(taken.data()), taken.size()};
    }
    if (is_decimal_) {
      add_decimal(bytes);
    } else {
      data_.insert(data_.end(), bytes.begin(), bytes.end());
    }
    validity_.add(true);
  }
  void add_zero() override {
    data_.insert(data_.end(), size_, '\0');
    validity_.add(true);
  }
  void add_null() override {
    data_.insert(data_.end(), size_, '\0');
    validity_.add(false);
  }
  Array finish(const std::string& name, std::int64_t field_id) override {
    auto node = validity_.finish(format_, name, field_id);
    node->buffers.emplace_back(std::move(data_));
    return Array(std::move(node));
  }

 private:
  void add_decimal(std::string_view big_endian) {
    const char sign = !big_endian.empty() && big_endian[0] < 0 ? '\xff' : '\0';
    while (big_endian.size() > size_) {
      require(big_endian[0] == sign && ((big_endian[1] ^ sign) & 0x80) == 0,
              "an Avro decimal has more than 128 bits");
      big_endian.remove_prefix(1);
    }
    data_.insert(data_.end(), big_endian.rbegin(), big_endian.rend());
    data_.insert(data_.end(), size_ - big_endian.size(), sign);
  }

  std::string format_;
  std::size_t size_;
  bool is_decimal_;
  bool has_length_;
  std::size_t written_size_;
  Values<char> data_;
  Validity validity_;
};

}  // namespace flowkit
