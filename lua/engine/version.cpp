// Returns the line of `moonlet --version`. The build writes the commit into version_details.h.
#include "moonlet/engine.h"
#include "version_details.h"

namespace moonlet {

std::string_view version_line() { return "moonlet " MOONLET_VERSION MOONLET_VERSION_DETAILS; }

}  // namespace moonlet
