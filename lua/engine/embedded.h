// What is built into the executable: the standard library as bytecode, the presets and their tests
// as text. Constant data, any thread.
#pragma once

#include <string_view>

namespace moonlet {

struct EmbeddedFile {
  const char* name;  ///< relative path, "engine/run/run.lua"; nullptr ends the list
  std::string_view bytes;
};

const EmbeddedFile* embedded_modules();
const EmbeddedFile* embedded_presets();
const EmbeddedFile* embedded_tests();  ///< "NAME/tests/…" of the presets

}  // namespace moonlet
