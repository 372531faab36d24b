// Provides the template for a task's plan, and finds what a plan lacks. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet::executor {

std::string_view plan_template();
/// Returns the expected sections that neither the plan nor the description has.
std::vector<std::string> missing_sections(std::string_view plan, std::string_view description);

}  // namespace moonlet::executor
