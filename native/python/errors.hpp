#pragma once

#include <nanobind/nanobind.h>

#include "flowkit/status.hpp"

/// Raises a FlowkitError by its name.
[[noreturn]] void raise(const char* error_name, const nanobind::object& message, const char* hint);

/// Raises the error that a Status stands for: the one place that maps codes to errors.
void raise_unless_ok(const flowkit::Status& status, const char* hint);
