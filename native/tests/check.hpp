#pragma once

#include <cstdio>
#include <cstdlib>

/// Ends the test program with a message if `claim` does not hold; stays on in release builds.
#define CHECK(claim)                                                                  \
  do {                                                                                \
    if (!(claim)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim); \
      std::abort();                                                                   \
    }                                                                                 \
  } while (false)
