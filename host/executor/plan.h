// Provides the template for a task's plan, and finds sections that a plan lacks. All functions are
// pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet::executor {

std::string_view plan_template();
/// Returns the names of the expected sections that are missing in both the plan and the
/// description.
std::vector<std::string> missing_sections(std::string_view plan, std::string_view description);

}  // namespace moonlet::executor
