#include "flowkit/chunking.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "guarded.hpp"

namespace flowkit {
namespace {

using Gear = std::array<std::uint64_t, 256>;

constexpr Gear make_gear() noexcept {
  Gear gear{};
  std::uint64_t state = 0;
  for (auto& entry : gear) {
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    entry = mixed ^ (mixed >> 31U);
  }
  return gear;
}

constexpr Gear gear = make_gear();

/// Lengths that a lane tries in one go: long against the 64 bytes that it reads to start with,
/// short against a chunk, whose last stretch is read twice.
constexpr std::int64_t stride = 512;

std::uint64_t roll(std::uint64_t hash, std::byte byte) noexcept {
  return (hash << 1U) + gear[std::to_integer<std::size_t>(byte)];
}

/// Returns the hash of the window that ends at `chunk + at`.
std::uint64_t hash_before(const std::byte* chunk, std::int64_t at) noexcept {
  std::uint64_t hash = 0;
  for (auto from = at - ChunkSizes::window; from < at; ++from) {
    hash = roll(hash, chunk[from]);
  }
  return hash;
}

/// Says whether a hash before one of the lengths in [at, at + 4 * stride) is below `threshold`.
///
/// A hash needs the one before it, so one lane waits for itself most of the time: four lanes that
/// know nothing of each other keep the processor busy and are twice as fast.
bool any_below(const std::byte* chunk, std::int64_t at, std::uint64_t threshold) noexcept {
  const std::byte* const lane = chunk + at;
  std::uint64_t a = hash_before(lane, 0);
  std::uint64_t b = hash_before(lane, stride);
  std::uint64_t c = hash_before(lane, 2 * stride);
  std::uint64_t d = hash_before(lane, 3 * stride);
  for (std::int64_t byte = 0; byte < stride; ++byte) {
    if (a < threshold || b < threshold || c < threshold || d < threshold) {
      return true;
    }
    a = roll(a, lane[byte]);
    b = roll(b, lane[byte + stride]);
    c = roll(c, lane[byte + 2 * stride]);
    d = roll(d, lane[byte + 3 * stride]);
  }
  return false;
}

/// Returns the first length in [at, end) before which the hash is below `threshold`, else `end`.
std::int64_t find_below(const std::byte* chunk, std::int64_t at, std::int64_t end,
                        std::uint64_t threshold) noexcept {
  while (at + 4 * stride <= end && !any_below(chunk, at, threshold)) {
    at += 4 * stride;
  }
  auto hash = hash_before(chunk, at);
  while (at < end && hash >= threshold) {
    hash = roll(hash, chunk[at]);
    ++at;
  }
  return at;
}

/// Returns the length of the first chunk of `size` bytes, which are at least one.
std::int64_t first_chunk(const std::byte* chunk, std::int64_t size,
                         const ChunkSizes& sizes) noexcept {
  if (size <= sizes.min) {
    return size;
  }
  const auto unit =
      std::numeric_limits<std::uint64_t>::max() / static_cast<std::uint64_t>(sizes.average);
  const auto average = std::min(sizes.average, size);
  const auto early = find_below(chunk, sizes.min, average, unit / 4);
  return early < average ? early : find_below(chunk, average, std::min(sizes.max, size), unit * 4);
}

bool in_order(const ChunkSizes& sizes) noexcept {
  return ChunkSizes::window <= sizes.min && sizes.min <= sizes.average &&
         sizes.average <= sizes.max && sizes.max <= ChunkSizes::largest;
}

}  // namespace

Status chunk_boundaries(std::span<const std::byte> data, const ChunkSizes& sizes,
                        std::vector<std::int64_t>& cuts) noexcept {
  return guarded([&]() -> Status {
    if (!in_order(sizes)) {
      return {Status::Code::invalid_data,
              "chunk sizes must be 64 <= min <= average <= max <= 1073741824 bytes"};
    }
    const auto size = static_cast<std::int64_t>(data.size());
    std::vector<std::int64_t> found;
    found.reserve(static_cast<std::size_t>(size / sizes.average + 1));
    for (std::int64_t start = 0; start < size; start = found.back()) {
      found.push_back(start + first_chunk(data.data() + start, size - start, sizes));
    }
    cuts = std::move(found);
    return {};
  });
}

}  // namespace flowkit
