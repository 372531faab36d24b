// The files that the build embeds in the executable: the standard library as bytecode with its
// annotations, and the presets as text, as bytecode, and with their tests.
// Constant data, any thread.
#pragma once

#include <string_view>

namespace moonlet {

struct EmbeddedFile {
  const char* name;  ///< relative path, "engine/run/run.lua"; nullptr ends the list
  std::string_view bytes;
};

const EmbeddedFile* embedded_modules();
const EmbeddedFile* embedded_notes();        ///< modules' annotations, patterns' whole texts
const EmbeddedFile* embedded_presets();      ///< "NAME/init.lua", "NAME/prompt.md"
const EmbeddedFile* embedded_preset_code();  ///< the Lua files of the presets as bytecode
const EmbeddedFile* embedded_tests();        ///< the presets' test files, "NAME/tests/…"

}  // namespace moonlet
