#include "host/process/child/confine.h"

namespace moonlet {

ConfinementSupport confinement_support() {
  return {0, "this system has no Landlock; moonlet confines processes only on Linux"};
}

Result<Fd> make_ruleset(const Confinement&, const ConfinedProgram&,
                        const ConfinementSupport& support) {
  return Error{ErrorKind::kDenied, "the step cannot be confined: " + support.reason,
               "run it on Linux, or without confinement"};
}

}  // namespace moonlet
