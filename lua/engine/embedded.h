// Declares the files that the build embeds in the executable: the standard library as bytecode and
// its annotations, and the presets as text, bytecode and tests. Constants, any thread.
#pragma once

#include <string_view>

namespace moonlet {

struct EmbeddedFile {
  const char* name;  ///< relative path, such as "engine/run/run.lua"; nullptr ends the list
  std::string_view bytes;
};

const EmbeddedFile* embedded_modules();
const EmbeddedFile* embedded_notes();        ///< annotations of modules; all text of "patterns/"
const EmbeddedFile* embedded_presets();      ///< files such as "NAME/init.lua" and "NAME/prompt.md"
const EmbeddedFile* embedded_preset_code();  ///< the Lua files of the presets as bytecode
const EmbeddedFile* embedded_tests();        ///< the presets' tests, "NAME/tests/…"

}  // namespace moonlet
