// Builds the text that `moonlet --version` prints. The build generates version_details.h, which has
// the commit and the build options.
#include "moonlet/engine.h"
#include "version_details.h"

namespace moonlet {

std::string_view version_line() { return "moonlet " MOONLET_VERSION MOONLET_VERSION_DETAILS; }

}  // namespace moonlet
