// The Lua that is built into the executable: the standard library as bytecode, its annotations, the
// presets as text and as bytecode, the presets' tests as text. Constant data, any thread.
#pragma once

#include <string_view>

namespace moonlet {

struct EmbeddedFile {
  const char* name;  ///< relative path, "engine/run/run.lua"; nullptr ends the list
  std::string_view bytes;
};

const EmbeddedFile* embedded_modules();
const EmbeddedFile* embedded_notes();        ///< annotations of a file, a pattern's whole text
const EmbeddedFile* embedded_presets();      ///< "NAME/init.lua", "NAME/prompt.md"
const EmbeddedFile* embedded_preset_code();  ///< the Lua files among them, compiled
const EmbeddedFile* embedded_tests();        ///< "NAME/tests/…" of the presets

}  // namespace moonlet
