#include "host/process/child.h"

namespace moonlet {

std::string_view to_string(ChildExit::Why why) {
  switch (why) {
    case ChildExit::Why::kExited:
      return "exited";
    case ChildExit::Why::kSignalled:
      return "signalled";
    case ChildExit::Why::kWall:
      return "wall";
    case ChildExit::Why::kIdle:
      return "idle";
    case ChildExit::Why::kCancelled:
      return "cancelled";
    case ChildExit::Why::kLost:
      return "lost";
    case ChildExit::Why::kNotStarted:
      return "not_started";
  }
  return "lost";
}

}  // namespace moonlet
