#pragma once

#include <nanobind/nanobind.h>

// Each adds the functions of one file to the module.
void bind_transforms(nanobind::module_& module);
void bind_manifest(nanobind::module_& module);
void bind_similarity(nanobind::module_& module);
void bind_blocking(nanobind::module_& module);
