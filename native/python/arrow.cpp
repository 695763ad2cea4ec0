#include "arrow.hpp"

#include <memory>
#include <string>
#include <utility>

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

constexpr const char* schema_name = "arrow_schema";
constexpr const char* array_name = "arrow_array";
constexpr const char* stream_name = "arrow_array_stream";

[[noreturn]] void refuse(const char* role, const std::string& reason, const char* hint) {
  const std::string message = std::string("`") + role + "` " + reason;
  // The reason may be a stream's own, and need not be text.
  raise("UsageError",
        nb::steal(PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()),
                                       "replace")),
        hint);
}

/// Takes the struct out of a capsule that a `__arrow_c_…__` method returned.
template <typename T>
flowkit::Owned<T> take(nb::handle capsule, const char* name, const char* role) {
  if (PyCapsule_IsValid(capsule.ptr(), name) == 0) {
    refuse(role, std::string("gave no capsule named `") + name + "`", nullptr);
  }
  return flowkit::Owned<T>(static_cast<T*>(PyCapsule_GetPointer(capsule.ptr(), name)));
}

/// Owns a struct on behalf of a capsule, from which a consumer may move it out.
template <typename T>
nb::object into_capsule(flowkit::Owned<T>&& made, const char* name) {
  auto owned = std::make_unique<flowkit::Owned<T>>(std::move(made));
  PyCapsule_Destructor destroy = [](PyObject* capsule) {
    const std::unique_ptr<flowkit::Owned<T>> ends(
        static_cast<flowkit::Owned<T>*>(PyCapsule_GetContext(capsule)));
  };
  nb::object capsule = nb::steal(PyCapsule_New(owned->get(), name, destroy));
  if (!capsule.is_valid() || PyCapsule_SetContext(capsule.ptr(), owned.get()) != 0) {
    throw nb::python_error();
  }
  (void)owned.release();
  return capsule;
}

nb::object schema_capsule(const flowkit::Array& array) {
  flowkit::Owned<ArrowSchema> schema;
  raise_unless_ok(array.export_schema(schema.get()), nullptr);
  return into_capsule(std::move(schema), schema_name);
}

nb::tuple array_capsules(const flowkit::Array& array, nb::handle) {
  flowkit::Owned<ArrowArray> values;
  raise_unless_ok(array.export_array(values.get()), nullptr);
  return nb::make_tuple(schema_capsule(array), into_capsule(std::move(values), array_name));
}

}  // namespace

ArrowInput::ArrowInput(nb::handle object, const char* role) {
  if (nb::hasattr(object, "__arrow_c_array__")) {
    const nb::object pair = object.attr("__arrow_c_array__")();
    if (!nb::isinstance<nb::tuple>(pair) || nb::len(pair) != 2) {
      refuse(role, "gave no pair of capsules", nullptr);
    }
    schema_ = take<ArrowSchema>(pair[0], schema_name, role);
    arrays_.push_back(take<ArrowArray>(pair[1], array_name, role));
  } else if (nb::hasattr(object, "__arrow_c_stream__")) {
    auto stream = take<ArrowArrayStream>(object.attr("__arrow_c_stream__")(), stream_name, role);
    read_stream(*stream.get(), role);
  } else {
    refuse(role,
           std::string("is not Arrow data but of type `") +
               nb::str(object.type().attr("__name__")).c_str() + "`",
           "pass an array or column of pyarrow, Polars or pandas, such as `pyarrow.array(values)`");
  }
  for (const auto& array : arrays_) {
    pointers_.push_back(&*array);
  }
}

void ArrowInput::read_stream(ArrowArrayStream& stream, const char* role) {
  const auto check = [&](int error) {
    if (error != 0) {
      const char* reason =
          stream.get_last_error == nullptr ? nullptr : stream.get_last_error(&stream);
      refuse(role, std::string("failed: ") + (reason == nullptr ? "no reason given" : reason),
             nullptr);
    }
  };
  if (stream.release == nullptr) {
    refuse(role, "is a stream that has been read already", "pass it only once");
  }
  if (stream.get_schema == nullptr || stream.get_next == nullptr) {
    refuse(role, "is a stream without `get_schema` or `get_next`", nullptr);
  }
  check(stream.get_schema(&stream, schema_.get()));
  while (true) {
    flowkit::Owned<ArrowArray> array;
    check(stream.get_next(&stream, array.get()));
    if (array->release == nullptr) {
      return;
    }
    arrays_.push_back(std::move(array));
  }
}

nb::object stream_capsule(flowkit::Owned<ArrowArrayStream>&& stream) {
  return into_capsule(std::move(stream), stream_name);
}

void define_array(nb::module_& module) {
  nb::class_<flowkit::Array>(module, "Array")
      .def("__len__", &flowkit::Array::length)
      .def("__arrow_c_schema__", &schema_capsule)
      .def("__arrow_c_array__", &array_capsules, "requested_schema"_a = nb::none());
}
