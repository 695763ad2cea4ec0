#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "buffer.hpp"

namespace flowkit {

/// Unpacks a raw DEFLATE stream (RFC 1951) into the front of `out`, which grows as needed and may
/// come back larger; returns how many bytes there are. Bytes behind the stream are let be: some
/// writers leave part of a checksum there.
///
/// Throws InvalidData if the stream is malformed or ends early, or unpacks to more than `most`.
std::size_t inflate(std::span<const std::byte> packed, std::size_t most, Values<std::byte>& out);

}  // namespace flowkit
