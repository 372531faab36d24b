// What is built into the executable: the standard library as bytecode, the presets as text.
// Constant data, any thread.
#pragma once

#include <string_view>

namespace moonlet {

struct EmbeddedFile {
  const char* name;  ///< relative path, "internal/run.lua"; nullptr ends the list
  std::string_view bytes;
};

const EmbeddedFile* embedded_modules();
const EmbeddedFile* embedded_presets();

}  // namespace moonlet
